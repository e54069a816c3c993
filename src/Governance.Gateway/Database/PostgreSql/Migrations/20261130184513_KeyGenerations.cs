using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class KeyGenerations : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "platform_key",
                columns: table => new
                {
                    Name = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Number = table.Column<int>(type: "integer", nullable: false),
                    File = table.Column<string>(
                        type: "character varying(128)",
                        maxLength: 128,
                        nullable: false,
                        collation: "C"
                    ),
                    ActiveFrom = table.Column<long>(type: "bigint", nullable: false),
                    End = table.Column<long>(type: "bigint", nullable: true),
                    RevokedFrom = table.Column<long>(type: "bigint", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_platform_key", x => new { x.Name, x.Number });
                }
            );

            migrationBuilder.CreateTable(
                name: "signing_use",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    KeyId = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Role = table.Column<string>(
                        type: "character varying(40)",
                        maxLength: 40,
                        nullable: false,
                        collation: "C"
                    ),
                    At = table.Column<long>(type: "bigint", nullable: false),
                    Subject = table.Column<string>(
                        type: "character varying(600)",
                        maxLength: 600,
                        nullable: false,
                        collation: "C"
                    ),
                    Identity = table.Column<string>(
                        type: "character varying(600)",
                        maxLength: 600,
                        nullable: false,
                        collation: "C"
                    ),
                    Bundle = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_signing_use", x => x.Id);
                }
            );

            migrationBuilder.CreateIndex(name: "IX_signing_use_Bundle", table: "signing_use", column: "Bundle");

            migrationBuilder.CreateIndex(
                name: "IX_signing_use_Identity_Id",
                table: "signing_use",
                columns: new[] { "Identity", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_signing_use_KeyId_Id",
                table: "signing_use",
                columns: new[] { "KeyId", "Id" }
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "platform_key");

            migrationBuilder.DropTable(name: "signing_use");
        }
    }
}
