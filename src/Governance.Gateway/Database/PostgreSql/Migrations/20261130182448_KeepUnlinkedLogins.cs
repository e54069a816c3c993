using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class KeepUnlinkedLogins : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(name: "IX_identity_logins_Issuer_ExternalId", table: "identity_logins");

            migrationBuilder.AddColumn<long>(
                name: "UnlinkedAt",
                table: "identity_logins",
                type: "bigint",
                nullable: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_logins_Issuer_ExternalId",
                table: "identity_logins",
                columns: new[] { "Issuer", "ExternalId" },
                unique: true,
                filter: "\"UnlinkedAt\" IS NULL"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(name: "IX_identity_logins_Issuer_ExternalId", table: "identity_logins");

            migrationBuilder.DropColumn(name: "UnlinkedAt", table: "identity_logins");

            migrationBuilder.CreateIndex(
                name: "IX_identity_logins_Issuer_ExternalId",
                table: "identity_logins",
                columns: new[] { "Issuer", "ExternalId" },
                unique: true
            );
        }
    }
}
