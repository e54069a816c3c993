using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class TracesAndWebhooks : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "registry_traces",
                columns: table => new
                {
                    TraceId = table.Column<string>(type: "TEXT", nullable: false),
                    ExperimentId = table.Column<long>(type: "INTEGER", nullable: false),
                    OwnerId = table.Column<string>(type: "TEXT", nullable: false),
                    TimestampMs = table.Column<long>(type: "INTEGER", nullable: false),
                    DurationMs = table.Column<long>(type: "INTEGER", nullable: true),
                    State = table.Column<string>(type: "TEXT", nullable: false),
                    ClientRequestId = table.Column<string>(type: "TEXT", nullable: true),
                    RequestPreview = table.Column<string>(type: "TEXT", nullable: true),
                    ResponsePreview = table.Column<string>(type: "TEXT", nullable: true),
                    CreatedMs = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_traces", x => x.TraceId);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_webhook_deliveries",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    WebhookId = table.Column<string>(type: "TEXT", nullable: false),
                    EventKey = table.Column<string>(type: "TEXT", nullable: false),
                    Body = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedMs = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_webhook_deliveries", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_webhooks",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Description = table.Column<string>(type: "TEXT", nullable: false),
                    Url = table.Column<string>(type: "TEXT", nullable: false),
                    Disabled = table.Column<bool>(type: "INTEGER", nullable: false),
                    Events = table.Column<string>(type: "TEXT", nullable: false),
                    WrappedSecret = table.Column<byte[]>(type: "BLOB", nullable: true),
                    CreatedMs = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedMs = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_webhooks", x => x.Id);
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_traces_ExperimentId_CreatedMs",
                table: "registry_traces",
                columns: new[] { "ExperimentId", "CreatedMs" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_traces_ExperimentId_TimestampMs",
                table: "registry_traces",
                columns: new[] { "ExperimentId", "TimestampMs" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_webhook_deliveries_WebhookId",
                table: "registry_webhook_deliveries",
                column: "WebhookId"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "registry_traces");

            migrationBuilder.DropTable(name: "registry_webhook_deliveries");

            migrationBuilder.DropTable(name: "registry_webhooks");
        }
    }
}
