using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.Migrations
{
    /// <inheritdoc />
    public partial class IndexNamesAndVersions : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "FoldedName",
                table: "registry_model_names",
                type: "TEXT",
                nullable: false,
                defaultValue: ""
            );

            // The database folds fewer letters than RegistryNames.Key; new names are folded there.
            migrationBuilder.Sql("""UPDATE registry_model_names SET "FoldedName" = upper("Name");""");

            migrationBuilder.CreateIndex(
                name: "IX_registry_versions_ObjectId",
                table: "registry_versions",
                column: "ObjectId",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_model_names_FoldedName",
                table: "registry_model_names",
                column: "FoldedName"
            );
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(name: "IX_registry_versions_ObjectId", table: "registry_versions");

            migrationBuilder.DropIndex(name: "IX_registry_model_names_FoldedName", table: "registry_model_names");

            migrationBuilder.DropColumn(name: "FoldedName", table: "registry_model_names");
        }
    }
}
