using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class AddSharedDatabase : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "WrittenMs",
                table: "registry_metrics",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L
            );

            migrationBuilder.AddColumn<long>(
                name: "WrittenMs",
                table: "registry_labels",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L
            );

            migrationBuilder.CreateTable(
                name: "platform_lease",
                columns: table => new
                {
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Holder = table.Column<string>(type: "TEXT", nullable: false),
                    Until = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_platform_lease", x => x.Name);
                }
            );

            migrationBuilder.CreateIndex(name: "IX_platform_job_Key", table: "platform_job", column: "Key");

            migrationBuilder.CreateIndex(
                name: "IX_platform_job_running",
                table: "platform_job",
                columns: new[] { "Kind", "Key" },
                unique: true,
                filter: "\"State\" = 1"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "platform_lease");

            migrationBuilder.DropIndex(name: "IX_platform_job_Key", table: "platform_job");

            migrationBuilder.DropIndex(name: "IX_platform_job_running", table: "platform_job");

            migrationBuilder.DropColumn(name: "WrittenMs", table: "registry_metrics");

            migrationBuilder.DropColumn(name: "WrittenMs", table: "registry_labels");
        }
    }
}
