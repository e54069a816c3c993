using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class WebhookSizesAndFoldedNames : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_registry_webhook_deliveries_WebhookId",
                table: "registry_webhook_deliveries"
            );

            migrationBuilder.AddColumn<int>(
                name: "Size",
                table: "registry_webhook_deliveries",
                type: "integer",
                nullable: false,
                defaultValue: 0
            );

            migrationBuilder.Sql("""UPDATE registry_webhook_deliveries SET "Size" = octet_length("Body");""");

            // The database folded no letter beyond ASCII: FoldNames does at the start.
            migrationBuilder.Sql(
                """UPDATE registry_model_names SET "FoldedName" = '' WHERE octet_length("Name") <> length("Name");"""
            );

            // One job for all that waits for a webhook, in the place of one for each message.
            migrationBuilder.Sql(
                """
                UPDATE platform_job SET
                    "Key" = (SELECT d."WebhookId" FROM registry_webhook_deliveries AS d WHERE d."Id" = "Payload"),
                    "Payload" = (SELECT d."WebhookId" FROM registry_webhook_deliveries AS d WHERE d."Id" = "Payload")
                WHERE "Kind" = 'registry.deliver_webhook' AND "State" = 0
                    AND "Payload" IN (SELECT "Id" FROM registry_webhook_deliveries);
                """
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_webhook_deliveries_WebhookId_Id_Size",
                table: "registry_webhook_deliveries",
                columns: new[] { "WebhookId", "Id", "Size" }
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_registry_webhook_deliveries_WebhookId_Id_Size",
                table: "registry_webhook_deliveries"
            );

            migrationBuilder.DropColumn(name: "Size", table: "registry_webhook_deliveries");

            migrationBuilder.CreateIndex(
                name: "IX_registry_webhook_deliveries_WebhookId",
                table: "registry_webhook_deliveries",
                column: "WebhookId"
            );
        }
    }
}
