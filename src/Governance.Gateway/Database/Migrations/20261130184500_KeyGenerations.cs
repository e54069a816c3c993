using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
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
                    Name = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    Number = table.Column<int>(type: "INTEGER", nullable: false),
                    File = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    ActiveFrom = table.Column<long>(type: "INTEGER", nullable: false),
                    End = table.Column<long>(type: "INTEGER", nullable: true),
                    RevokedFrom = table.Column<long>(type: "INTEGER", nullable: true),
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
                    Id = table.Column<long>(type: "INTEGER", nullable: false).Annotation("Sqlite:Autoincrement", true),
                    KeyId = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    Role = table.Column<string>(type: "TEXT", maxLength: 40, nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false),
                    Subject = table.Column<string>(type: "TEXT", maxLength: 600, nullable: false),
                    Identity = table.Column<string>(type: "TEXT", maxLength: 600, nullable: false),
                    Bundle = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
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
