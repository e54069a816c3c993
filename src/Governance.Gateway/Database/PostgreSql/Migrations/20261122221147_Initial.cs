using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Governance.Gateway.Database.PostgreSql.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "audit_checkpoint",
                columns: table => new
                {
                    Size = table.Column<long>(type: "bigint", nullable: false),
                    Root = table.Column<byte[]>(type: "bytea", nullable: false),
                    Note = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    At = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_checkpoint", x => x.Size);
                }
            );

            migrationBuilder.CreateTable(
                name: "audit_entry",
                columns: table => new
                {
                    Serial = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    At = table.Column<long>(type: "bigint", nullable: false),
                    Kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ActorId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Subject = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Outcome = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Canonical = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Salt = table.Column<byte[]>(type: "bytea", maxLength: 32, nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_entry", x => x.Serial);
                }
            );

            migrationBuilder.CreateTable(
                name: "audit_leaf",
                columns: table => new
                {
                    Index = table.Column<long>(type: "bigint", nullable: false),
                    Serial = table.Column<long>(type: "bigint", nullable: false),
                    EntryId = table.Column<Guid>(type: "uuid", nullable: false),
                    Hash = table.Column<byte[]>(type: "bytea", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_leaf", x => x.Index);
                }
            );

            migrationBuilder.CreateTable(
                name: "audit_node",
                columns: table => new
                {
                    Level = table.Column<int>(type: "integer", nullable: false),
                    Index = table.Column<long>(type: "bigint", nullable: false),
                    Hash = table.Column<byte[]>(type: "bytea", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_node", x => new { x.Level, x.Index });
                }
            );

            migrationBuilder.CreateTable(
                name: "compliance_report",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Regulation = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Model = table.Column<string>(
                        type: "character varying(512)",
                        maxLength: 512,
                        nullable: false,
                        collation: "C"
                    ),
                    Version = table.Column<int>(type: "integer", nullable: false),
                    OwnerId = table.Column<string>(
                        type: "character varying(128)",
                        maxLength: 128,
                        nullable: false,
                        collation: "C"
                    ),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                    CreatedBy = table.Column<string>(
                        type: "character varying(128)",
                        maxLength: 128,
                        nullable: false,
                        collation: "C"
                    ),
                    Json = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Csv = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Pdf = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Bundle = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_compliance_report", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "evidence_item",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Version = table.Column<int>(type: "integer", nullable: false),
                    Kind = table.Column<string>(
                        type: "character varying(20)",
                        maxLength: 20,
                        nullable: false,
                        collation: "C"
                    ),
                    Subject = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Outcome = table.Column<string>(
                        type: "character varying(20)",
                        maxLength: 20,
                        nullable: false,
                        collation: "C"
                    ),
                    RulesVersion = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Class = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Summary = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Reasons = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Document = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: true,
                        collation: "C"
                    ),
                    ProducedAt = table.Column<long>(type: "bigint", nullable: false),
                    EntryId = table.Column<Guid>(type: "uuid", nullable: false),
                    Stale = table.Column<bool>(type: "boolean", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_evidence_item", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_oauth_applications",
                columns: table => new
                {
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ApplicationType = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    ClientId = table.Column<string>(
                        type: "character varying(100)",
                        maxLength: 100,
                        nullable: true,
                        collation: "C"
                    ),
                    ClientSecret = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    ClientType = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    ConcurrencyToken = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    ConsentType = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    DisplayName = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    DisplayNames = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    JsonWebKeySet = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Permissions = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    PostLogoutRedirectUris = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Properties = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    RedirectUris = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Requirements = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Settings = table.Column<string>(type: "text", nullable: true, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_oauth_applications", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_oauth_scopes",
                columns: table => new
                {
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ConcurrencyToken = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    Description = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Descriptions = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    DisplayName = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    DisplayNames = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Name = table.Column<string>(
                        type: "character varying(200)",
                        maxLength: 200,
                        nullable: true,
                        collation: "C"
                    ),
                    Properties = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Resources = table.Column<string>(type: "text", nullable: true, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_oauth_scopes", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_roles",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Text = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Digest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_roles", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_subjects",
                columns: table => new
                {
                    Id = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Kind = table.Column<int>(type: "integer", nullable: false),
                    Name = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    DisplayName = table.Column<string>(
                        type: "character varying(128)",
                        maxLength: 128,
                        nullable: false,
                        collation: "C"
                    ),
                    PasswordHash = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Enabled = table.Column<bool>(type: "boolean", nullable: false),
                    FailedAttempts = table.Column<int>(type: "integer", nullable: false),
                    LockedUntil = table.Column<long>(type: "bigint", nullable: true),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_subjects", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "lineage_node",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    Urn = table.Column<string>(
                        type: "character varying(1024)",
                        maxLength: 1024,
                        nullable: false,
                        collation: "C"
                    ),
                    Kind = table.Column<int>(type: "integer", nullable: false),
                    Label = table.Column<string>(
                        type: "character varying(512)",
                        maxLength: 512,
                        nullable: false,
                        collation: "C"
                    ),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_lineage_node", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "platform_blob",
                columns: table => new
                {
                    Digest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Size = table.Column<long>(type: "bigint", nullable: false),
                    ChunkDigests = table.Column<byte[]>(type: "bytea", nullable: false),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_platform_blob", x => x.Digest);
                }
            );

            migrationBuilder.CreateTable(
                name: "platform_job",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Kind = table.Column<string>(
                        type: "character varying(100)",
                        maxLength: 100,
                        nullable: false,
                        collation: "C"
                    ),
                    Key = table.Column<string>(
                        type: "character varying(400)",
                        maxLength: 400,
                        nullable: false,
                        collation: "C"
                    ),
                    Payload = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    State = table.Column<int>(type: "integer", nullable: false),
                    Attempts = table.Column<int>(type: "integer", nullable: false),
                    Crashes = table.Column<int>(type: "integer", nullable: false),
                    DueAt = table.Column<long>(type: "bigint", nullable: false),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                    LastError = table.Column<string>(type: "text", nullable: true, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_platform_job", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "platform_lease",
                columns: table => new
                {
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Holder = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Until = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_platform_lease", x => x.Name);
                }
            );

            migrationBuilder.CreateTable(
                name: "policy_version",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
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
                    Editor = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ActiveFrom = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_policy_version", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "privacy_column",
                columns: table => new
                {
                    DatasetId = table.Column<Guid>(type: "uuid", nullable: false),
                    Ordinal = table.Column<int>(type: "integer", nullable: false),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    What = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    State = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Role = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Evidence = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Matches = table.Column<long>(type: "bigint", nullable: false),
                    Rows = table.Column<long>(type: "bigint", nullable: false),
                    Scanned = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_privacy_column", x => new { x.DatasetId, x.Ordinal });
                }
            );

            migrationBuilder.CreateTable(
                name: "privacy_dataset",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Sha256 = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    OwnerId = table.Column<string>(
                        type: "character varying(100)",
                        maxLength: 100,
                        nullable: false,
                        collation: "C"
                    ),
                    Name = table.Column<string>(
                        type: "character varying(200)",
                        maxLength: 200,
                        nullable: false,
                        collation: "C"
                    ),
                    Format = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Size = table.Column<long>(type: "bigint", nullable: false),
                    Rows = table.Column<long>(type: "bigint", nullable: true),
                    ScanState = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Outcome = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Reasons = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RulesVersion = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Revision = table.Column<int>(type: "integer", nullable: false),
                    FileId = table.Column<Guid>(type: "uuid", nullable: false),
                    WrappedKey = table.Column<byte[]>(type: "bytea", nullable: true),
                    LegalBasis = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Purpose = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_privacy_dataset", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "privacy_declaration",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    DatasetId = table.Column<Guid>(type: "uuid", nullable: false),
                    OfficerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Declaration = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_privacy_declaration", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "privacy_derivation",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Output = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Inputs = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Description = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Columns = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Grade = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ActorId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Treatments = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    WrappedTokenKey = table.Column<byte[]>(type: "bytea", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_privacy_derivation", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "privacy_measure",
                columns: table => new
                {
                    DatasetId = table.Column<Guid>(type: "uuid", nullable: false),
                    QuasiIdentifiers = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    SetBy = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    K = table.Column<long>(type: "bigint", nullable: false),
                    Classes = table.Column<long>(type: "bigint", nullable: false),
                    Rows = table.Column<long>(type: "bigint", nullable: false),
                    UniqueRows = table.Column<long>(type: "bigint", nullable: false),
                    LeastK = table.Column<int>(type: "integer", nullable: false),
                    L = table.Column<int>(type: "integer", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_privacy_measure", x => x.DatasetId);
                }
            );

            migrationBuilder.CreateTable(
                name: "promotion_approval",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    RequestId = table.Column<Guid>(type: "uuid", nullable: false),
                    PersonId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Approves = table.Column<bool>(type: "boolean", nullable: false),
                    Comment = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    At = table.Column<long>(type: "bigint", nullable: false),
                    ExpiresAt = table.Column<long>(type: "bigint", nullable: false),
                    EntryId = table.Column<Guid>(type: "uuid", nullable: false),
                    UsedBy = table.Column<Guid>(type: "uuid", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_promotion_approval", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "promotion_decision",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Model = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Version = table.Column<int>(type: "integer", nullable: false),
                    Kind = table.Column<string>(
                        type: "character varying(20)",
                        maxLength: 20,
                        nullable: false,
                        collation: "C"
                    ),
                    Target = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ArchiveExisting = table.Column<bool>(type: "boolean", nullable: false),
                    Verdict = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Unmet = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    EvidenceSubject = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    EvidenceDigest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    PolicyDigest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    Facts = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    At = table.Column<long>(type: "bigint", nullable: false),
                    ActorId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    EntryId = table.Column<Guid>(type: "uuid", nullable: false),
                    Used = table.Column<bool>(type: "boolean", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_promotion_decision", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "promotion_receipt",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Version = table.Column<int>(type: "integer", nullable: false),
                    DecisionId = table.Column<Guid>(type: "uuid", nullable: false),
                    Statement = table.Column<byte[]>(type: "bytea", nullable: false),
                    EntryId = table.Column<Guid>(type: "uuid", nullable: false),
                    At = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_promotion_receipt", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "promotion_request",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Model = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Version = table.Column<int>(type: "integer", nullable: false),
                    Kind = table.Column<string>(
                        type: "character varying(20)",
                        maxLength: 20,
                        nullable: false,
                        collation: "C"
                    ),
                    Target = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ArchiveExisting = table.Column<bool>(type: "boolean", nullable: false),
                    State = table.Column<string>(
                        type: "character varying(20)",
                        maxLength: 20,
                        nullable: false,
                        collation: "C"
                    ),
                    RequestedBy = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    OwnerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Reason = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    EvidenceSubject = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    PolicyDigest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    EvidenceDigest = table.Column<string>(
                        type: "character varying(64)",
                        maxLength: 64,
                        nullable: false,
                        collation: "C"
                    ),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                    ReceiptId = table.Column<Guid>(type: "uuid", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_promotion_request", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_aliases",
                columns: table => new
                {
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Alias = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Number = table.Column<int>(type: "integer", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_aliases", x => new { x.ModelId, x.Alias });
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_artifacts",
                columns: table => new
                {
                    Container = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Path = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Size = table.Column<long>(type: "bigint", nullable: false),
                    Digest = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_artifacts", x => new { x.Container, x.Path });
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_experiments",
                columns: table => new
                {
                    Id = table.Column<long>(type: "bigint", nullable: false),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    OwnerId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Deleted = table.Column<bool>(type: "boolean", nullable: false),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_experiments", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_inputs",
                columns: table => new
                {
                    RunId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    InputKey = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    MlflowDigest = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    SourceType = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Schema = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Profile = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Context = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    TagsJson = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    DatasetSha256 = table.Column<string>(type: "text", nullable: true, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_inputs", x => new { x.RunId, x.InputKey });
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_labels",
                columns: table => new
                {
                    Scope = table.Column<int>(type: "integer", nullable: false),
                    ObjectId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Value = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    WrittenMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey(
                        "PK_registry_labels",
                        x => new
                        {
                            x.Scope,
                            x.ObjectId,
                            x.Key,
                        }
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_latest_metrics",
                columns: table => new
                {
                    RunId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Value = table.Column<double>(type: "double precision", nullable: false),
                    IsNan = table.Column<bool>(type: "boolean", nullable: false),
                    TimestampMs = table.Column<long>(type: "bigint", nullable: false),
                    Step = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_latest_metrics", x => new { x.RunId, x.Key });
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_logged_models",
                columns: table => new
                {
                    ModelId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ExperimentId = table.Column<long>(type: "bigint", nullable: false),
                    OwnerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ModelType = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    SourceRunId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Deleted = table.Column<bool>(type: "boolean", nullable: false),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_logged_models", x => x.ModelId);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_manifest_files",
                columns: table => new
                {
                    ManifestDigest = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Path = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Size = table.Column<long>(type: "bigint", nullable: false),
                    Digest = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_manifest_files", x => new { x.ManifestDigest, x.Path });
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_metrics",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    RunId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Value = table.Column<double>(type: "double precision", nullable: false),
                    IsNan = table.Column<bool>(type: "boolean", nullable: false),
                    TimestampMs = table.Column<long>(type: "bigint", nullable: false),
                    Step = table.Column<long>(type: "bigint", nullable: false),
                    LoggedModelId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    DatasetName = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    DatasetDigest = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    WrittenMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_metrics", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_model_names",
                columns: table => new
                {
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    NextVersion = table.Column<int>(type: "integer", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_model_names", x => x.Name);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_models",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    OwnerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Description = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Deleted = table.Column<bool>(type: "boolean", nullable: false),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_models", x => x.Id);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_run_models",
                columns: table => new
                {
                    RunId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ModelId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    IsOutput = table.Column<bool>(type: "boolean", nullable: false),
                    Step = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey(
                        "PK_registry_run_models",
                        x => new
                        {
                            x.RunId,
                            x.ModelId,
                            x.IsOutput,
                        }
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_runs",
                columns: table => new
                {
                    RunId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ExperimentId = table.Column<long>(type: "bigint", nullable: false),
                    OwnerId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    StartMs = table.Column<long>(type: "bigint", nullable: true),
                    EndMs = table.Column<long>(type: "bigint", nullable: true),
                    Deleted = table.Column<bool>(type: "boolean", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_runs", x => x.RunId);
                }
            );

            migrationBuilder.CreateTable(
                name: "registry_versions",
                columns: table => new
                {
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Number = table.Column<int>(type: "integer", nullable: false),
                    Status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    StatusMessage = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Quarantined = table.Column<bool>(type: "boolean", nullable: false),
                    Stage = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Container = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Prefix = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RunId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    LoggedModelId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Description = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RunLink = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    RegisteredBy = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ManifestDigest = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    EvidenceSubject = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    Deleted = table.Column<bool>(type: "boolean", nullable: false),
                    CreatedMs = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedMs = table.Column<long>(type: "bigint", nullable: false),
                    Revision = table.Column<int>(type: "integer", nullable: false),
                    ObjectId = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_registry_versions", x => new { x.ModelId, x.Number });
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_oauth_authorizations",
                columns: table => new
                {
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ApplicationId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    ConcurrencyToken = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    CreationDate = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    Properties = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Scopes = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Status = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    Subject = table.Column<string>(
                        type: "character varying(400)",
                        maxLength: 400,
                        nullable: true,
                        collation: "C"
                    ),
                    Type = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_oauth_authorizations", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_oauth_authorizations_identity_oauth_applications_A~",
                        column: x => x.ApplicationId,
                        principalTable: "identity_oauth_applications",
                        principalColumn: "Id"
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_grants",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    SubjectId = table.Column<string>(type: "character varying(32)", nullable: false, collation: "C"),
                    Role = table.Column<string>(
                        type: "character varying(32)",
                        maxLength: 32,
                        nullable: false,
                        collation: "C"
                    ),
                    Kind = table.Column<int>(type: "integer", nullable: false),
                    Pattern = table.Column<string>(
                        type: "character varying(256)",
                        maxLength: 256,
                        nullable: false,
                        collation: "C"
                    ),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_grants", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_grants_identity_subjects_SubjectId",
                        column: x => x.SubjectId,
                        principalTable: "identity_subjects",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "lineage_edge",
                columns: table => new
                {
                    Id = table
                        .Column<long>(type: "bigint", nullable: false)
                        .Annotation(
                            "Npgsql:ValueGenerationStrategy",
                            NpgsqlValueGenerationStrategy.IdentityByDefaultColumn
                        ),
                    FromId = table.Column<long>(type: "bigint", nullable: false),
                    ToId = table.Column<long>(type: "bigint", nullable: false),
                    Verb = table.Column<int>(type: "integer", nullable: false),
                    Grade = table.Column<int>(type: "integer", nullable: false),
                    EntryId = table.Column<Guid>(type: "uuid", nullable: false),
                    OpenedAt = table.Column<long>(type: "bigint", nullable: false),
                    ClosingEntryId = table.Column<Guid>(type: "uuid", nullable: true),
                    ClosedAt = table.Column<long>(type: "bigint", nullable: true),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_lineage_edge", x => x.Id);
                    table.ForeignKey(
                        name: "FK_lineage_edge_lineage_node_FromId",
                        column: x => x.FromId,
                        principalTable: "lineage_node",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                    table.ForeignKey(
                        name: "FK_lineage_edge_lineage_node_ToId",
                        column: x => x.ToId,
                        principalTable: "lineage_node",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict
                    );
                }
            );

            migrationBuilder.CreateTable(
                name: "identity_oauth_tokens",
                columns: table => new
                {
                    Id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    ApplicationId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    AuthorizationId = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    ConcurrencyToken = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    CreationDate = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    ExpirationDate = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    Payload = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    Properties = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    RedemptionDate = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    ReferenceId = table.Column<string>(
                        type: "character varying(100)",
                        maxLength: 100,
                        nullable: true,
                        collation: "C"
                    ),
                    Status = table.Column<string>(
                        type: "character varying(50)",
                        maxLength: 50,
                        nullable: true,
                        collation: "C"
                    ),
                    Subject = table.Column<string>(
                        type: "character varying(400)",
                        maxLength: 400,
                        nullable: true,
                        collation: "C"
                    ),
                    Type = table.Column<string>(
                        type: "character varying(150)",
                        maxLength: 150,
                        nullable: true,
                        collation: "C"
                    ),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_identity_oauth_tokens", x => x.Id);
                    table.ForeignKey(
                        name: "FK_identity_oauth_tokens_identity_oauth_applications_Applicati~",
                        column: x => x.ApplicationId,
                        principalTable: "identity_oauth_applications",
                        principalColumn: "Id"
                    );
                    table.ForeignKey(
                        name: "FK_identity_oauth_tokens_identity_oauth_authorizations_Authori~",
                        column: x => x.AuthorizationId,
                        principalTable: "identity_oauth_authorizations",
                        principalColumn: "Id"
                    );
                }
            );

            migrationBuilder.InsertData(
                table: "registry_experiments",
                columns: new[] { "Id", "CreatedMs", "Deleted", "Name", "OwnerId", "UpdatedMs" },
                values: new object[] { 0L, 0L, false, "Default", null, 0L }
            );

            migrationBuilder.CreateIndex(
                name: "IX_audit_entry_ActorId_Serial",
                table: "audit_entry",
                columns: new[] { "ActorId", "Serial" }
            );

            migrationBuilder.CreateIndex(name: "IX_audit_entry_Id", table: "audit_entry", column: "Id", unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_audit_entry_Kind_Serial",
                table: "audit_entry",
                columns: new[] { "Kind", "Serial" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_audit_entry_Subject_Serial",
                table: "audit_entry",
                columns: new[] { "Subject", "Serial" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_audit_leaf_EntryId",
                table: "audit_leaf",
                column: "EntryId",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_audit_leaf_Serial",
                table: "audit_leaf",
                column: "Serial",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_evidence_item_ModelId_Version_Kind",
                table: "evidence_item",
                columns: new[] { "ModelId", "Version", "Kind" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_evidence_item_Subject_Kind",
                table: "evidence_item",
                columns: new[] { "Subject", "Kind" }
            );

            migrationBuilder.CreateIndex(name: "IX_identity_grants_Role", table: "identity_grants", column: "Role");

            migrationBuilder.CreateIndex(
                name: "IX_identity_grants_SubjectId_Role_Kind_Pattern",
                table: "identity_grants",
                columns: new[] { "SubjectId", "Role", "Kind", "Pattern" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_oauth_applications_ClientId",
                table: "identity_oauth_applications",
                column: "ClientId",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_oauth_authorizations_ApplicationId_Status_Subject_~",
                table: "identity_oauth_authorizations",
                columns: new[] { "ApplicationId", "Status", "Subject", "Type" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_oauth_scopes_Name",
                table: "identity_oauth_scopes",
                column: "Name",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_oauth_tokens_ApplicationId_Status_Subject_Type",
                table: "identity_oauth_tokens",
                columns: new[] { "ApplicationId", "Status", "Subject", "Type" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_oauth_tokens_AuthorizationId",
                table: "identity_oauth_tokens",
                column: "AuthorizationId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_oauth_tokens_ReferenceId",
                table: "identity_oauth_tokens",
                column: "ReferenceId",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_identity_subjects_Name",
                table: "identity_subjects",
                column: "Name",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_lineage_edge_FromId_Id",
                table: "lineage_edge",
                columns: new[] { "FromId", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_lineage_edge_FromId_ToId_Verb_Grade",
                table: "lineage_edge",
                columns: new[] { "FromId", "ToId", "Verb", "Grade" },
                unique: true,
                filter: "\"ClosedAt\" IS NULL"
            );

            migrationBuilder.CreateIndex(
                name: "IX_lineage_edge_ToId_Id",
                table: "lineage_edge",
                columns: new[] { "ToId", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_lineage_node_Urn",
                table: "lineage_node",
                column: "Urn",
                unique: true
            );

            migrationBuilder.CreateIndex(name: "IX_platform_job_Key", table: "platform_job", column: "Key");

            migrationBuilder.CreateIndex(
                name: "IX_platform_job_Kind_Key",
                table: "platform_job",
                columns: new[] { "Kind", "Key" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_platform_job_State_DueAt",
                table: "platform_job",
                columns: new[] { "State", "DueAt" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_platform_job_running",
                table: "platform_job",
                columns: new[] { "Kind", "Key" },
                unique: true,
                filter: "\"State\" = 1"
            );

            migrationBuilder.CreateIndex(name: "IX_policy_version_Digest", table: "policy_version", column: "Digest");

            migrationBuilder.CreateIndex(
                name: "IX_policy_version_Name_Id",
                table: "policy_version",
                columns: new[] { "Name", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_privacy_dataset_Name_Id",
                table: "privacy_dataset",
                columns: new[] { "Name", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_privacy_dataset_Sha256_OwnerId",
                table: "privacy_dataset",
                columns: new[] { "Sha256", "OwnerId" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_privacy_declaration_DatasetId",
                table: "privacy_declaration",
                column: "DatasetId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_privacy_derivation_Output",
                table: "privacy_derivation",
                column: "Output"
            );

            migrationBuilder.CreateIndex(
                name: "IX_promotion_approval_RequestId_PersonId",
                table: "promotion_approval",
                columns: new[] { "RequestId", "PersonId" },
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_promotion_decision_ModelId_Version_Id",
                table: "promotion_decision",
                columns: new[] { "ModelId", "Version", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_promotion_receipt_ModelId_Version_Id",
                table: "promotion_receipt",
                columns: new[] { "ModelId", "Version", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_promotion_request_ModelId_Version_State",
                table: "promotion_request",
                columns: new[] { "ModelId", "Version", "State" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_promotion_request_State_Id",
                table: "promotion_request",
                columns: new[] { "State", "Id" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_aliases_ModelId_Number",
                table: "registry_aliases",
                columns: new[] { "ModelId", "Number" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_experiments_Name",
                table: "registry_experiments",
                column: "Name",
                unique: true
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_inputs_DatasetSha256",
                table: "registry_inputs",
                column: "DatasetSha256"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_labels_Scope_Key_ObjectId",
                table: "registry_labels",
                columns: new[] { "Scope", "Key", "ObjectId" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_logged_models_ExperimentId_CreatedMs",
                table: "registry_logged_models",
                columns: new[] { "ExperimentId", "CreatedMs" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_manifest_files_Digest",
                table: "registry_manifest_files",
                column: "Digest"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_metrics_LoggedModelId",
                table: "registry_metrics",
                column: "LoggedModelId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_metrics_RunId_Key_TimestampMs",
                table: "registry_metrics",
                columns: new[] { "RunId", "Key", "TimestampMs" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_models_Name_Deleted",
                table: "registry_models",
                columns: new[] { "Name", "Deleted" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_run_models_ModelId",
                table: "registry_run_models",
                column: "ModelId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_runs_ExperimentId_StartMs",
                table: "registry_runs",
                columns: new[] { "ExperimentId", "StartMs" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_versions_Container",
                table: "registry_versions",
                column: "Container"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_versions_ManifestDigest",
                table: "registry_versions",
                column: "ManifestDigest"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_versions_ModelId_Stage",
                table: "registry_versions",
                columns: new[] { "ModelId", "Stage" }
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_versions_RunId",
                table: "registry_versions",
                column: "RunId"
            );

            migrationBuilder.CreateIndex(
                name: "IX_registry_versions_UpdatedMs",
                table: "registry_versions",
                column: "UpdatedMs"
            );

            migrationBuilder.Sql(Partitioning.Sql);
            migrationBuilder.Sql(Governance.Audit.Contracts.AuditSchema.PostgresTriggerSql);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(name: "audit_checkpoint");

            migrationBuilder.DropTable(name: "audit_entry");

            migrationBuilder.DropTable(name: "audit_leaf");

            migrationBuilder.DropTable(name: "audit_node");

            migrationBuilder.DropTable(name: "compliance_report");

            migrationBuilder.DropTable(name: "evidence_item");

            migrationBuilder.DropTable(name: "identity_grants");

            migrationBuilder.DropTable(name: "identity_oauth_scopes");

            migrationBuilder.DropTable(name: "identity_oauth_tokens");

            migrationBuilder.DropTable(name: "identity_roles");

            migrationBuilder.DropTable(name: "lineage_edge");

            migrationBuilder.DropTable(name: "platform_blob");

            migrationBuilder.DropTable(name: "platform_job");

            migrationBuilder.DropTable(name: "platform_lease");

            migrationBuilder.DropTable(name: "policy_version");

            migrationBuilder.DropTable(name: "privacy_column");

            migrationBuilder.DropTable(name: "privacy_dataset");

            migrationBuilder.DropTable(name: "privacy_declaration");

            migrationBuilder.DropTable(name: "privacy_derivation");

            migrationBuilder.DropTable(name: "privacy_measure");

            migrationBuilder.DropTable(name: "promotion_approval");

            migrationBuilder.DropTable(name: "promotion_decision");

            migrationBuilder.DropTable(name: "promotion_receipt");

            migrationBuilder.DropTable(name: "promotion_request");

            migrationBuilder.DropTable(name: "registry_aliases");

            migrationBuilder.DropTable(name: "registry_artifacts");

            migrationBuilder.DropTable(name: "registry_experiments");

            migrationBuilder.DropTable(name: "registry_inputs");

            migrationBuilder.DropTable(name: "registry_labels");

            migrationBuilder.DropTable(name: "registry_latest_metrics");

            migrationBuilder.DropTable(name: "registry_logged_models");

            migrationBuilder.DropTable(name: "registry_manifest_files");

            migrationBuilder.DropTable(name: "registry_metrics");

            migrationBuilder.DropTable(name: "registry_model_names");

            migrationBuilder.DropTable(name: "registry_models");

            migrationBuilder.DropTable(name: "registry_run_models");

            migrationBuilder.DropTable(name: "registry_runs");

            migrationBuilder.DropTable(name: "registry_versions");

            migrationBuilder.DropTable(name: "identity_subjects");

            migrationBuilder.DropTable(name: "identity_oauth_authorizations");

            migrationBuilder.DropTable(name: "lineage_node");

            migrationBuilder.DropTable(name: "identity_oauth_applications");
        }
    }
}
