using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class Attestations : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "Attestation",
                table: "evidence_item",
                type: "TEXT",
                maxLength: 64,
                nullable: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_evidence_item_Attestation",
                table: "evidence_item",
                column: "Attestation"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(name: "IX_evidence_item_Attestation", table: "evidence_item");

            migrationBuilder.DropColumn(name: "Attestation", table: "evidence_item");
        }
    }
}
