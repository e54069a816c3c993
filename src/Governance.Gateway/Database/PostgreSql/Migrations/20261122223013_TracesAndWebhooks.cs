using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
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
                    TraceId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ExperimentId = table.Column<long>(type: "bigint", nullable: false),
                    OwnerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    TimestampMs = table.Column<long>(type: "bigint", nullable: false),
                    DurationMs = table.Column<long>(type: "bigint", nullable: true),
                    State = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ClientRequestId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    RequestPreview = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    ResponsePreview = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
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
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    WebhookId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    EventKey = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Body = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
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
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Description = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Url = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Disabled = table.Column<bool>(type: "boolean", nullable: false),
                    Events = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    WrappedSecret = table.Column<byte[]>(type: "bytea", nullable: true),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
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
