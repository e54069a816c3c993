using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class AddImports : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "registry_import_counts",
                columns: table => new
                {
                    ImportId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Seen = table.Column<long>(type: "bigint", nullable: false),
                    Present = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_import_counts", x => new { x.ImportId, x.Kind });
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_import_failures",
                columns: table => new
                {
                    ImportId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RemoteId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Code = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Message = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey(
                        "PK_registry_import_failures",
                        x => new
                        {
                            x.ImportId,
                            x.Kind,
                            x.RemoteId,
                        }
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_imported",
                columns: table => new
                {
                    Source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RemoteId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    LocalId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ArtifactUri = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    State = table.Column<int>(type: "integer", nullable: false),
                    ImportId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Files = table.Column<long>(type: "bigint", nullable: false),
                    Bytes = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey(
                        "PK_registry_imported",
                        x => new
                        {
                            x.Source,
                            x.Kind,
                            x.RemoteId,
                        }
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_imports",
                columns: table => new
                {
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    StartedBy = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    StartedByKind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    OwnerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Experiments = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Models = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    DryRun = table.Column<bool>(type: "boolean", nullable: false),
                    State = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    StopCode = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    StopMessage = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Phase = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    At = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    PageToken = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Pages = table.Column<int>(type: "integer", nullable: false),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_imports", x => x.Id);
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_imported_ImportId_Kind",
                table: "registry_imported",
                columns: new[] { "ImportId", "Kind" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_imported_Kind_LocalId",
                table: "registry_imported",
                columns: new[] { "Kind", "LocalId" }
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "registry_import_counts");

            migrationBuilder.DropTable(name: "registry_import_failures");

            migrationBuilder.DropTable(name: "registry_imported");

            migrationBuilder.DropTable(name: "registry_imports");
        }
    }
}
