using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
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
                type: "TEXT",
                nullable: true,
                oldClrType: typeof(string),
                oldType: "TEXT"
            );

            migrationBuilder.AddColumn<string>(
                name: "ExceptTargets",
                table: "identity_grants",
                type: "TEXT",
                nullable: false,
                defaultValue: ""
            );

            migrationBuilder.AddColumn<long>(
                name: "ExpiresAt",
                table: "identity_grants",
                type: "INTEGER",
                nullable: true
            );

            migrationBuilder.AddColumn<string>(
                name: "GrantedBy",
                table: "identity_grants",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: ""
            );

            migrationBuilder.AddColumn<string>(name: "GroupId", table: "identity_grants", type: "TEXT", nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "Pending",
                table: "identity_grants",
                type: "INTEGER",
                nullable: false,
                defaultValue: false
            );

            migrationBuilder.AddColumn<string>(
                name: "Targets",
                table: "identity_grants",
                type: "TEXT",
                nullable: false,
                defaultValue: ""
            );

            migrationBuilder.CreateTable(
                name: "identity_groups",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    Name = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    Issuer = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    Claim = table.Column<string>(type: "TEXT", maxLength: 64, nullable: true),
                    Value = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
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
                    SubjectId = table.Column<string>(type: "TEXT", nullable: false),
                    GroupId = table.Column<string>(type: "TEXT", nullable: false),
                    AddedBy = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    Pending = table.Column<bool>(type: "INTEGER", nullable: false),
                    SeenAt = table.Column<long>(type: "INTEGER", nullable: true),
                    AddedAt = table.Column<long>(type: "INTEGER", nullable: false),
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
                type: "TEXT",
                nullable: false,
                defaultValue: "",
                oldClrType: typeof(string),
                oldType: "TEXT",
                oldNullable: true
            );
        }
    }
}
