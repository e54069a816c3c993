using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class Erasures : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "identity_erasures",
                columns: table => new
                {
                    SubjectId = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    State = table.Column<int>(type: "INTEGER", nullable: false),
                    EntryId = table.Column<Guid>(type: "TEXT", nullable: false),
                    BeganAt = table.Column<long>(type: "INTEGER", nullable: false),
                    ProofId = table.Column<Guid>(type: "TEXT", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_erasures", x => x.SubjectId);
                    table.ForeignKey(
                        name: "FK_identity_erasures_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_holds",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    SubjectId = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    SetBy = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    SetAt = table.Column<long>(type: "INTEGER", nullable: false),
                    Reason = table.Column<byte[]>(type: "BLOB", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_holds", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_holds_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_erasures_State",
                table: "identity_erasures",
                column: "State"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_holds_SubjectId",
                table: "identity_holds",
                column: "SubjectId"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "identity_erasures");

            migrationBuilder.DropTable(name: "identity_holds");
        }
    }
}
