using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class IssuerKeysAndReplays : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "identity_issuer_keys",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Signing = table.Column<byte[]>(type: "bytea", nullable: false),
                    Encryption = table.Column<byte[]>(type: "bytea", nullable: false),
                    ActiveFrom = table.Column<long>(type: "bigint", nullable: false),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_issuer_keys", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_used_once",
                columns: table => new
                {
                    Hash = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Until = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_used_once", x => x.Hash);
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_used_once_Until",
                table: "identity_used_once",
                column: "Until"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "identity_issuer_keys");

            migrationBuilder.DropTable(name: "identity_used_once");
        }
    }
}
