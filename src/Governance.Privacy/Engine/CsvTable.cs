using System.Buffers;
using System.Text;
using Governance.Kernel;
using Sylvan.Data.Csv;

namespace Governance.Privacy.Engine;

/// <summary>What a table may be at most.</summary>
/// <param name="MaxBytes">Bytes.</param>
/// <param name="MaxRows">Rows.</param>
/// <param name="MaxColumns">Columns.</param>
/// <param name="MaxRecordChars">Characters of one record, which bounds every field.</param>
internal sealed record TableLimits(long MaxBytes, long MaxRows, int MaxColumns, int MaxRecordChars)
{
    public static readonly TableLimits Default = new(1L << 30, 10_000_000, 1000, 1 << 20);
}

/// <summary>
/// A CSV file (RFC 4180) read strictly: delimiter <c>,</c> <c>;</c> tab or <c>|</c> found in the first records, UTF-8 with
/// or without mark, otherwise Latin-1; one header row; every record has the header's number of fields. Anything else is
/// <c>privacy.malformed</c>, over a limit <c>privacy.too_large</c>.
/// </summary>
internal sealed class CsvTable
{
    private const int SniffChars = 1 << 16;
    private const int MaxNameLength = 128;
    private static readonly char[] Delimiters = [',', ';', '\t', '|'];

    private readonly Func<Stream> _open;
    private readonly Encoding _encoding;
    private readonly TableLimits _limits;

    private CsvTable(Func<Stream> open, Encoding encoding, char delimiter, TableLimits limits)
    {
        _open = open;
        _encoding = encoding;
        Delimiter = delimiter;
        _limits = limits;
    }

    /// <summary>Delimiter in use.</summary>
    public char Delimiter { get; }

    /// <summary>Column names in order; unique, no control characters.</summary>
    public IReadOnlyList<string> Columns { get; private set; } = [];

    /// <summary>Checks encoding, delimiter and header. The source is opened again for every pass.</summary>
    public static Result<CsvTable> Open(Func<Stream> open, TableLimits limits, CancellationToken cancellationToken)
    {
        var encoding = FindEncoding(open, limits, cancellationToken);
        if (!encoding.Ok)
        {
            return encoding.Failure;
        }

        string head;
        using (var reader = new StreamReader(open(), encoding.Value))
        {
            var buffer = new char[SniffChars];
            head = new string(buffer, 0, reader.ReadBlock(buffer));
        }

        var table = new CsvTable(open, encoding.Value, FindDelimiter(head), limits);
        return table.ReadHeader(cancellationToken) is { } failure ? failure : table;
    }

    /// <summary>Reads every record and hands each to the caller; returns the number of rows.</summary>
    public Result<long> Read(Action<CsvDataReader> row, CancellationToken cancellationToken)
    {
        var rows = -1L;
        var failure = Records(
            reader =>
            {
                if (reader.RowFieldCount != Columns.Count)
                {
                    return Malformed(
                        $"row {rows + 1} has {reader.RowFieldCount} fields, the header has {Columns.Count}"
                    );
                }

                if (++rows == 0)
                {
                    return null;
                }

                if (rows > _limits.MaxRows)
                {
                    return TooLarge($"more than {_limits.MaxRows} rows");
                }

                row(reader);
                return null;
            },
            cancellationToken
        );
        return failure is null ? Math.Max(0, rows) : failure;
    }

    private Failure? ReadHeader(CancellationToken cancellationToken)
    {
        Failure? answer = Malformed("it is empty");
        var failure = Records(
            reader =>
            {
                if (reader.RowFieldCount > _limits.MaxColumns)
                {
                    answer = TooLarge($"more than {_limits.MaxColumns} columns");
                    return answer;
                }

                Columns = [.. Enumerable.Range(0, reader.RowFieldCount).Select(i => reader.GetString(i).Trim())];
                answer = CheckHeader(Columns);
                return Done;
            },
            cancellationToken
        );
        return failure is null || ReferenceEquals(failure, Done) ? answer : failure;
    }

    // Ends a pass early; never shown.
    private static readonly Failure Done = Failure.Invalid("privacy.done", "");

    private static Failure? CheckHeader(IReadOnlyList<string> names)
    {
        if (names.Any(name => name.Length is 0 or > MaxNameLength || name.Any(char.IsControl)))
        {
            return Malformed("a column name is empty, longer than 128 characters or holds control characters");
        }

        if (names.Distinct(StringComparer.OrdinalIgnoreCase).Count() != names.Count)
        {
            return Malformed("two columns have the same name");
        }

        // Column names become metadata that many may read: a first row of persons must never get there.
        return names.Any(LooksLikeData)
            ? Failure.Invalid("privacy.no_header", "The first row holds values instead of column names.")
            : null;
    }

    private static bool LooksLikeData(string name)
    {
        var shape = ShapeOf.Value(name);
        return shape
                is Shape.Decimal
                    or Shape.Date
                    or Shape.HexHash
                    or Shape.Uuid
                    or Shape.PasswordHash
                    or Shape.Masked
                    or Shape.Redacted
            || (shape == Shape.Whole && name.Length > 4)
            || TextDetector.Find(name).Any(span => span.Score >= 0.5);
    }

    private Failure? Records(Func<CsvDataReader, Failure?> record, CancellationToken cancellationToken)
    {
        try
        {
            using var text = new StreamReader(_open(), _encoding);
            using var reader = CsvDataReader.Create(
                text,
                new CsvDataReaderOptions
                {
                    HasHeaders = false,
                    Delimiter = Delimiter,
                    CsvStyle = CsvStyle.Standard,
                    ResultSetMode = ResultSetMode.SingleResult,
                    BufferSize = Math.Min(1 << 16, _limits.MaxRecordChars),
                    MaxBufferSize = _limits.MaxRecordChars,
                }
            );
            for (var count = 0L; reader.Read(); count++)
            {
                if (count % 1024 == 0)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                }

                if (record(reader) is { } failure)
                {
                    return failure;
                }
            }

            return null;
        }
        catch (CsvRecordTooLargeException)
        {
            return TooLarge($"a record of more than {_limits.MaxRecordChars} characters");
        }
        catch (Exception error) when (error is CsvFormatException or DecoderFallbackException)
        {
            return Malformed(
                error is CsvFormatException format
                    ? $"the quoting of record {Math.Max(1, format.RowNumber)} is broken; the header is record 1"
                    : "its encoding is not what it should be"
            );
        }
    }

    private static Result<Encoding> FindEncoding(
        Func<Stream> open,
        TableLimits limits,
        CancellationToken cancellationToken
    )
    {
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        var chars = ArrayPool<char>.Shared.Rent((1 << 16) + 16);
        try
        {
            using var stream = open();
            var decoder = new UTF8Encoding(false, throwOnInvalidBytes: true).GetDecoder();
            var utf8 = true;
            var total = 0L;
            for (int read; (read = stream.Read(buffer, 0, 1 << 16)) > 0; )
            {
                cancellationToken.ThrowIfCancellationRequested();
                total += read;
                if (total > limits.MaxBytes)
                {
                    return TooLarge($"more than {limits.MaxBytes} bytes");
                }

                if (buffer.AsSpan(0, read).Contains((byte)0))
                {
                    return Malformed("it holds NUL bytes: not text, or UTF-16");
                }

                utf8 = utf8 && IsValid(decoder, buffer.AsSpan(0, read), chars, flush: false);
            }

            return utf8 && IsValid(decoder, [], chars, flush: true) ? Encoding.UTF8 : Encoding.Latin1;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
            ArrayPool<char>.Shared.Return(chars, clearArray: true);
        }
    }

    private static bool IsValid(Decoder decoder, ReadOnlySpan<byte> bytes, char[] chars, bool flush)
    {
        try
        {
            decoder.GetChars(bytes, chars, flush);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    // The delimiter that splits the first records into the same, largest number of fields; quoted text does not count.
    private static char FindDelimiter(string head)
    {
        var best = (Delimiter: ',', Fields: 1);
        foreach (var delimiter in Delimiters)
        {
            var counts = new List<int>();
            var fields = 1;
            var quoted = false;
            foreach (var c in head)
            {
                if (c == '"')
                {
                    quoted = !quoted;
                }
                else if (!quoted && c == delimiter)
                {
                    fields++;
                }
                else if (!quoted && c == '\n')
                {
                    counts.Add(fields);
                    fields = 1;
                    if (counts.Count == 50)
                    {
                        break;
                    }
                }
            }

            if (counts.Count == 0)
            {
                counts.Add(fields);
            }

            var steady = counts.Count(count => count == counts[0]) * 10 >= counts.Count * 9;
            if (steady && counts[0] > best.Fields)
            {
                best = (delimiter, counts[0]);
            }
        }

        return best.Delimiter;
    }

    private static Failure Malformed(string reason) =>
        Failure.Invalid("privacy.malformed", $"The table can't be read as CSV: {reason}.");

    private static Failure TooLarge(string reason) =>
        new(FailureKind.TooLarge, "privacy.too_large", $"The table is over a limit: {reason}.");
}
