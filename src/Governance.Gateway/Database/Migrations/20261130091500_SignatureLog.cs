using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class SignatureLog : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "audit_signature",
                columns: table => new
                {
                    Index = table.Column<long>(type: "INTEGER", nullable: false),
                    Body = table.Column<byte[]>(type: "BLOB", nullable: false),
                    Edge = table.Column<byte[]>(type: "BLOB", nullable: false),
                    Note = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_signature", x => x.Index);
                }
            );

            migrationBuilder.Sql(Governance.Audit.Contracts.AuditSchema.SignatureTriggerSql);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "audit_signature");
        }
    }
}
