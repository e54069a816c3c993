using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class Persons : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "Bootstrapped",
                table: "identity_subjects",
                type: "boolean",
                nullable: false,
                defaultValue: false
            );

            migrationBuilder.AddColumn<byte[]>(
                name: "TotpKey",
                table: "identity_subjects",
                type: "bytea",
                nullable: true
            );

            migrationBuilder.AddColumn<long>(
                name: "TotpStep",
                table: "identity_subjects",
                type: "bigint",
                nullable: false,
                defaultValue: 0L
            );

            migrationBuilder.CreateTable(
                name: "identity_answered",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    ExpiresAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_answered", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_attempts",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Count = table.Column<int>(type: "integer", nullable: false),
                    ResetsAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_attempts", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_confirmations",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Kind = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    SubjectId = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    ObjectId = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Details = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Holds = table.Column<bool>(type: "boolean", nullable: false),
                    RequestedBy = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    RequestedAt = table.Column<long>(type: "bigint", nullable: false),
                    ExpiresAt = table.Column<long>(type: "bigint", nullable: false),
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
                    table.PrimaryKey("PK_identity_confirmations", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_confirmations_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_enrolments",
                columns: table => new
                {
                    SubjectId = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    CodeHash = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    ExpiresAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_enrolments", x => x.SubjectId);
                    table.ForeignKey(
                        name: "FK_identity_enrolments_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_logins",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    SubjectId = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Issuer = table.Column<string>(
                        type: "character varying(512)",
                        maxLength: 512,
                        nullable: false,
                        collation: "C"
                    ),
                    ExternalId = table.Column<string>(
                        type: "character varying(255)",
                        maxLength: 255,
                        nullable: false,
                        collation: "C"
                    ),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                    ConfirmedAt = table.Column<long>(type: "bigint", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_logins", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_logins_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_passkeys",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(1400)",
                        maxLength: 1400,
                        nullable: false,
                        collation: "C"
                    ),
                    SubjectId = table.Column<string>(
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
                    PublicKey = table.Column<byte[]>(type: "bytea", nullable: false),
                    SignCount = table.Column<long>(type: "bigint", nullable: false),
                    Transports = table.Column<string>(
                        type: "character varying(128)",
                        maxLength: 128,
                        nullable: false,
                        collation: "C"
                    ),
                    BackupEligible = table.Column<bool>(type: "boolean", nullable: false),
                    BackedUp = table.Column<bool>(type: "boolean", nullable: false),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                    UsedAt = table.Column<long>(type: "bigint", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_passkeys", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_passkeys_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_recovery_codes",
                columns: table => new
                {
                    Hash = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    SubjectId = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_recovery_codes", x => x.Hash);
                    table.ForeignKey(
                        name: "FK_identity_recovery_codes_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_sessions",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    SubjectId = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Methods = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Device = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    AuthenticatedAt = table.Column<long>(type: "bigint", nullable: false),
                    ExpiresAt = table.Column<long>(type: "bigint", nullable: false),
                    EndedAt = table.Column<long>(type: "bigint", nullable: true),
                    RevokedAt = table.Column<long>(type: "bigint", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_sessions", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_sessions_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_answered_ExpiresAt",
                table: "identity_answered",
                column: "ExpiresAt"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_attempts_ResetsAt",
                table: "identity_attempts",
                column: "ResetsAt"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_confirmations_State_Id",
                table: "identity_confirmations",
                columns: new[] { "State", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_confirmations_SubjectId",
                table: "identity_confirmations",
                column: "SubjectId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_enrolments_CodeHash",
                table: "identity_enrolments",
                column: "CodeHash",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_logins_Issuer_ExternalId",
                table: "identity_logins",
                columns: new[] { "Issuer", "ExternalId" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_logins_SubjectId",
                table: "identity_logins",
                column: "SubjectId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_passkeys_SubjectId",
                table: "identity_passkeys",
                column: "SubjectId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_recovery_codes_SubjectId",
                table: "identity_recovery_codes",
                column: "SubjectId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_sessions_ExpiresAt",
                table: "identity_sessions",
                column: "ExpiresAt"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_sessions_SubjectId",
                table: "identity_sessions",
                column: "SubjectId"
            );

            migrationBuilder.DropColumn(name: "FailedAttempts", table: "identity_subjects");

            migrationBuilder.DropColumn(name: "LockedUntil", table: "identity_subjects");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "FailedAttempts",
                table: "identity_subjects",
                type: "integer",
                nullable: false,
                defaultValue: 0
            );

            migrationBuilder.AddColumn<long>(
                name: "LockedUntil",
                table: "identity_subjects",
                type: "bigint",
                nullable: true
            );

            migrationBuilder.DropTable(name: "identity_answered");

            migrationBuilder.DropTable(name: "identity_attempts");

            migrationBuilder.DropTable(name: "identity_confirmations");

            migrationBuilder.DropTable(name: "identity_enrolments");

            migrationBuilder.DropTable(name: "identity_logins");

            migrationBuilder.DropTable(name: "identity_passkeys");

            migrationBuilder.DropTable(name: "identity_recovery_codes");

            migrationBuilder.DropTable(name: "identity_sessions");

            migrationBuilder.DropColumn(name: "Bootstrapped", table: "identity_subjects");

            migrationBuilder.DropColumn(name: "TotpKey", table: "identity_subjects");

            migrationBuilder.DropColumn(name: "TotpStep", table: "identity_subjects");
        }
    }
}
