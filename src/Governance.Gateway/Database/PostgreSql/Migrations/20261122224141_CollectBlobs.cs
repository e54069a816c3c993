using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class CollectBlobs : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "ChangedAt",
                table: "platform_blob",
                type: "bigint",
                nullable: false,
                defaultValue: 0L
            );

            migrationBuilder.AddColumn<int>(
                name: "State",
                table: "platform_blob",
                type: "integer",
                nullable: false,
                defaultValue: 0
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_artifacts_Digest",
                table: "registry_artifacts",
                column: "Digest"
            );

            migrationBuilder.CreateIndex(
                name: "IX_platform_blob_State_ChangedAt",
                table: "platform_blob",
                columns: new[] { "State", "ChangedAt" }
            );

            migrationBuilder.CreateIndex(name: "IX_evidence_item_Document", table: "evidence_item", column: "Document");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(name: "IX_registry_artifacts_Digest", table: "registry_artifacts");

            migrationBuilder.DropIndex(name: "IX_platform_blob_State_ChangedAt", table: "platform_blob");

            migrationBuilder.DropIndex(name: "IX_evidence_item_Document", table: "evidence_item");

            migrationBuilder.DropColumn(name: "ChangedAt", table: "platform_blob");

            migrationBuilder.DropColumn(name: "State", table: "platform_blob");
        }
    }
}
