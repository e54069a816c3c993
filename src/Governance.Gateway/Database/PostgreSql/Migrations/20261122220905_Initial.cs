using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "Crashes",
                table: "platform_job",
                type: "integer",
                nullable: false,
                defaultValue: 0
            );

            migrationBuilder.Sql(Partitioning.Sql);
            migrationBuilder.Sql(Governance.Audit.Contracts.AuditSchema.PostgresTriggerSql);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(name: "Crashes", table: "platform_job");
        }
    }
}
