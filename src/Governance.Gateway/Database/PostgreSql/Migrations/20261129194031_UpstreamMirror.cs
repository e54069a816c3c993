using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class UpstreamMirror : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "registry_upstream_adopted",
                columns: table => new
                {
                    Container = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_upstream_adopted", x => x.Container);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_upstream_drift",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Model = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Version = table.Column<int>(type: "integer", nullable: false),
                    Kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Expected = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Found = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    FoundMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_upstream_drift", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_upstream_intents",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RequestKey = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ActorId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Body = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_upstream_intents", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_upstream_progress",
                columns: table => new
                {
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Value = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_upstream_progress", x => x.Name);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_upstream_work",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    Lane = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Touched = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Attempts = table.Column<int>(type: "integer", nullable: false),
                    DueMs = table.Column<long>(type: "bigint", nullable: false),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_upstream_work", x => x.Id);
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_upstream_drift_Model_Version_Kind_Key",
                table: "registry_upstream_drift",
                columns: new[] { "Model", "Version", "Kind", "Key" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_upstream_intents_RequestKey",
                table: "registry_upstream_intents",
                column: "RequestKey"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_upstream_work_DueMs",
                table: "registry_upstream_work",
                column: "DueMs"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_upstream_work_Lane",
                table: "registry_upstream_work",
                column: "Lane"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "registry_upstream_adopted");

            migrationBuilder.DropTable(name: "registry_upstream_drift");

            migrationBuilder.DropTable(name: "registry_upstream_intents");

            migrationBuilder.DropTable(name: "registry_upstream_progress");

            migrationBuilder.DropTable(name: "registry_upstream_work");
        }
    }
}
