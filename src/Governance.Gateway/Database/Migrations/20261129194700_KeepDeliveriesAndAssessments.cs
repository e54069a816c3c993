using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class KeepDeliveriesAndAssessments : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "AnswerStatus",
                table: "registry_webhooks",
                type: "INTEGER",
                nullable: true
            );

            migrationBuilder.AddColumn<int>(
                name: "Failures",
                table: "registry_webhooks",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0
            );

            migrationBuilder.AddColumn<string>(
                name: "Outcome",
                table: "registry_webhooks",
                type: "TEXT",
                nullable: false,
                defaultValue: ""
            );

            migrationBuilder.AddColumn<long>(
                name: "RetryMs",
                table: "registry_webhooks",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L
            );

            migrationBuilder.AddColumn<long>(
                name: "TriedMs",
                table: "registry_webhooks",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L
            );

            migrationBuilder.AddColumn<bool>(
                name: "Outbound",
                table: "platform_job",
                type: "INTEGER",
                nullable: false,
                defaultValue: false
            );

            migrationBuilder.CreateTable(
                name: "registry_assessments",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    TraceId = table.Column<string>(type: "TEXT", nullable: false),
                    Content = table.Column<string>(type: "TEXT", nullable: false),
                    Overrides = table.Column<string>(type: "TEXT", nullable: true),
                    Overridden = table.Column<bool>(type: "INTEGER", nullable: false),
                    CreatedMs = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedMs = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_assessments", x => x.Id);
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_assessments_TraceId",
                table: "registry_assessments",
                column: "TraceId"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "registry_assessments");

            migrationBuilder.DropColumn(name: "AnswerStatus", table: "registry_webhooks");

            migrationBuilder.DropColumn(name: "Failures", table: "registry_webhooks");

            migrationBuilder.DropColumn(name: "Outcome", table: "registry_webhooks");

            migrationBuilder.DropColumn(name: "RetryMs", table: "registry_webhooks");

            migrationBuilder.DropColumn(name: "TriedMs", table: "registry_webhooks");

            migrationBuilder.DropColumn(name: "Outbound", table: "platform_job");
        }
    }
}
