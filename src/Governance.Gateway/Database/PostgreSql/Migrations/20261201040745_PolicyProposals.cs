using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class PolicyProposals : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<Guid>(name: "ProposalId", table: "policy_version", type: "uuid", nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "Scheduled",
                table: "policy_version",
                type: "boolean",
                nullable: false,
                defaultValue: false
            );

            migrationBuilder.CreateTable(
                name: "policy_proposal",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Name = table.Column<string>(
                        type: "character varying(100)",
                        maxLength: 100,
                        nullable: false,
                        collation: "C"
                    ),
                    Text = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Digest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Base = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Reason = table.Column<string>(
                        type: "character varying(500)",
                        maxLength: 500,
                        nullable: false,
                        collation: "C"
                    ),
                    ActiveFrom = table.Column<long>(type: "bigint", nullable: true),
                    ProposedBy = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    ProposedAt = table.Column<long>(type: "bigint", nullable: false),
                    State = table.Column<int>(type: "integer", nullable: false),
                    DecidedBy = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: true,
                        collation: "C"
                    ),
                    DecidedAt = table.Column<long>(type: "bigint", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_policy_proposal", x => x.Id);
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_policy_proposal_Name_Id",
                table: "policy_proposal",
                columns: new[] { "Name", "Id" }
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "policy_proposal");

            migrationBuilder.DropColumn(name: "ProposalId", table: "policy_version");

            migrationBuilder.DropColumn(name: "Scheduled", table: "policy_version");
        }
    }
}
