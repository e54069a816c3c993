namespace Governance.Registry.Storage;

/// <summary>
/// What still has to be made upstream, written in the transaction that changed it here. It says what was touched, not what it
/// became: whoever makes it reads the rows of that moment, so late work never brings back an old state.
/// </summary>
internal sealed class UpstreamWorkRow
{
    public long Id { get; set; }

    /// <summary>The object whose changes are made one after another.</summary>
    public string Lane { get; set; } = "";
    public string Touched { get; set; } = "{}";
    public int Attempts { get; set; }
    public long DueMs { get; set; }
    public long CreatedMs { get; set; }
}

/// <summary>Something that is about to be made upstream, which gives it its id. It goes with the outcome.</summary>
internal sealed class UpstreamIntentRow
{
    public Guid Id { get; set; }
    public string Kind { get; set; } = "";

    /// <summary>SHA-256 of kind, caller and what is asked: the same request again finds the intent that it left.</summary>
    public string RequestKey { get; set; } = "";
    public string ActorId { get; set; } = "";
    public string Body { get; set; } = "{}";
    public long CreatedMs { get; set; }
}

/// <summary>A difference between here and upstream that somebody has to look at.</summary>
internal sealed class UpstreamDriftRow
{
    public Guid Id { get; set; }
    public string Model { get; set; } = "";

    /// <summary>0 when it is about the model.</summary>
    public int Version { get; set; }
    public string Kind { get; set; } = "";

    /// <summary>Alias, key of the tag or path of the file; else empty.</summary>
    public string Key { get; set; } = "";

    /// <summary>A stage, number or size as it is, anything else as a digest.</summary>
    public string Expected { get; set; } = "";
    public string Found { get; set; } = "";
    public long FoundMs { get; set; }
}

/// <summary>A run or logged model that was made upstream before the gateway knew it: files may lie there only.</summary>
internal sealed class UpstreamAdoptedRow
{
    public string Container { get; set; } = "";
}

/// <summary>How far something that goes on over days has come.</summary>
internal sealed class UpstreamProgressRow
{
    public string Name { get; set; } = "";
    public string Value { get; set; } = "";
    public long UpdatedMs { get; set; }
}
