using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class SecondPersons : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AlterColumn<string>(
                name: "SubjectId",
                table: "identity_confirmations",
                type: "TEXT",
                maxLength: 32,
                nullable: true,
                oldClrType: typeof(string),
                oldType: "TEXT",
                oldMaxLength: 32
            );

            migrationBuilder.AddColumn<string>(
                name: "GroupId",
                table: "identity_confirmations",
                type: "TEXT",
                nullable: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_confirmations_GroupId",
                table: "identity_confirmations",
                column: "GroupId"
            );

            migrationBuilder.AddForeignKey(
                name: "FK_identity_confirmations_identity_groups_GroupId",
                table: "identity_confirmations",
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
                name: "FK_identity_confirmations_identity_groups_GroupId",
                table: "identity_confirmations"
            );

            migrationBuilder.DropIndex(name: "IX_identity_confirmations_GroupId", table: "identity_confirmations");

            migrationBuilder.DropColumn(name: "GroupId", table: "identity_confirmations");

            migrationBuilder.AlterColumn<string>(
                name: "SubjectId",
                table: "identity_confirmations",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: "",
                oldClrType: typeof(string),
                oldType: "TEXT",
                oldMaxLength: 32,
                oldNullable: true
            );
        }
    }
}
