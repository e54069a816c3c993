using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class Cosignatures : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "audit_cosignature",
                columns: table => new
                {
                    Size = table.Column<long>(type: "INTEGER", nullable: false),
                    Witness = table.Column<string>(type: "TEXT", nullable: false),
                    Line = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_cosignature", x => new { x.Size, x.Witness });
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_audit_cosignature_Witness_Size",
                table: "audit_cosignature",
                columns: new[] { "Witness", "Size" }
            );

            migrationBuilder.Sql(Governance.Audit.Contracts.AuditSchema.CosignatureTriggerSql);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "audit_cosignature");
        }
    }
}
