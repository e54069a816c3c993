using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class AddGroups : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AlterColumn<string>(
                name: "SubjectId",
                table: "identity_grants",
                type: "character varying(32)",
                nullable: true,
                collation: "C",
                oldClrType: typeof(string),
                oldType: "character varying(32)",
                oldCollation: "C"
            );

            migrationBuilder.AddColumn<string>(
                name: "ExceptTargets",
                table: "identity_grants",
                type: "text",
                nullable: false,
                defaultValue: "",
                collation: "C"
            );

            migrationBuilder.AddColumn<long>(
                name: "ExpiresAt",
                table: "identity_grants",
                type: "bigint",
                nullable: true
            );

            migrationBuilder.AddColumn<string>(
                name: "GrantedBy",
                table: "identity_grants",
                type: "character varying(32)",
                maxLength: 32,
                nullable: false,
                defaultValue: "",
                collation: "C"
            );

            migrationBuilder.AddColumn<string>(
                name: "GroupId",
                table: "identity_grants",
                type: "character varying(32)",
                nullable: true,
                collation: "C"
            );

            migrationBuilder.AddColumn<bool>(
                name: "Pending",
                table: "identity_grants",
                type: "boolean",
                nullable: false,
                defaultValue: false
            );

            migrationBuilder.AddColumn<string>(
                name: "Targets",
                table: "identity_grants",
                type: "text",
                nullable: false,
                defaultValue: "",
                collation: "C"
            );

            migrationBuilder.CreateTable(
                name: "identity_groups",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Name = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Issuer = table.Column<string>(
                        type: "character varying(256)",
                        maxLength: 256,
                        nullable: true,
                        collation: "C"
                    ),
                    Claim = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: true,
                        collation: "C"
                    ),
                    Value = table.Column<string>(
                        type: "character varying(256)",
                        maxLength: 256,
                        nullable: true,
                        collation: "C"
                    ),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_groups", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_group_members",
                columns: table => new
                {
                    SubjectId = table.Column<string>(type: "character varying(32)", nullable: false, collation: "C"),
                    GroupId = table.Column<string>(type: "character varying(32)", nullable: false, collation: "C"),
                    AddedBy = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Pending = table.Column<bool>(type: "boolean", nullable: false),
                    SeenAt = table.Column<long>(type: "bigint", nullable: true),
                    AddedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_group_members", x => new { x.SubjectId, x.GroupId });
                    table.ForeignKey(
                        name: "FK_identity_group_members_identity_groups_GroupId",
                        column: x => x.GroupId,
                        principalTable: "identity_groups",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                    table.ForeignKey(
                        name: "FK_identity_group_members_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_grants_GroupId_Role_Kind_Pattern",
                table: "identity_grants",
                columns: new[] { "GroupId", "Role", "Kind", "Pattern" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_group_members_GroupId",
                table: "identity_group_members",
                column: "GroupId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_groups_Issuer_Claim_Value",
                table: "identity_groups",
                columns: new[] { "Issuer", "Claim", "Value" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_groups_Name",
                table: "identity_groups",
                column: "Name",
                unique: true
            );

            migrationBuilder.AddForeignKey(
                name: "FK_identity_grants_identity_groups_GroupId",
                table: "identity_grants",
                column: "GroupId",
                principalTable: "identity_groups",
                principalColumn: "Id",
                onDelete: ReferentialAction.Restrict
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropForeignKey(
                name: "FK_identity_grants_identity_groups_GroupId",
                table: "identity_grants"
            );

            migrationBuilder.DropTable(name: "identity_group_members");

            migrationBuilder.DropTable(name: "identity_groups");

            migrationBuilder.DropIndex(name: "IX_identity_grants_GroupId_Role_Kind_Pattern", table: "identity_grants");

            migrationBuilder.DropColumn(name: "ExceptTargets", table: "identity_grants");

            migrationBuilder.DropColumn(name: "ExpiresAt", table: "identity_grants");

            migrationBuilder.DropColumn(name: "GrantedBy", table: "identity_grants");

            migrationBuilder.DropColumn(name: "GroupId", table: "identity_grants");

            migrationBuilder.DropColumn(name: "Pending", table: "identity_grants");

            migrationBuilder.DropColumn(name: "Targets", table: "identity_grants");

            migrationBuilder.AlterColumn<string>(
                name: "SubjectId",
                table: "identity_grants",
                type: "character varying(32)",
                nullable: false,
                defaultValue: "",
                collation: "C",
                oldClrType: typeof(string),
                oldType: "character varying(32)",
                oldNullable: true,
                oldCollation: "C"
            );
        }
    }
}
