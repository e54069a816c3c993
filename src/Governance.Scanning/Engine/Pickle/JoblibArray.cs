using System.Globalization;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>The array that follows a joblib <c>NumpyArrayWrapper</c> in the stream.</summary>
/// <param name="HoldsObjects">A nested pickle follows instead of raw bytes.</param>
/// <param name="Padded">A length byte and padding come first.</param>
/// <param name="Bytes">Raw bytes.</param>
internal sealed record JoblibArray(bool HoldsObjects, bool Padded, long Bytes)
{
    private const int StateItemSize = 5;

    /// <summary>Reads the wrapper's state; null when it does not tell.</summary>
    public static JoblibArray? Read(PickleValue state)
    {
        if (
            state is not MappingValue mapping
            || mapping.Get("shape") is not TupleValue shape
            || mapping.Get("dtype") is not InstanceValue { Callable: ImportValue { FullName: "numpy.dtype" } } dtype
            || dtype.Arguments is not TupleValue { Items: [TextValue { Text: { Length: >= 2 } code }, ..] }
            || shape.Count != shape.Items.Length
        )
        {
            return null;
        }

        if (code[0] == 'O')
        {
            return new JoblibArray(HoldsObjects: true, Padded: false, Bytes: 0);
        }

        // A structured type may hide objects in its fields; joblib then reads a pickle, which this cannot tell apart.
        if (dtype.State is TupleValue { Items: [_, _, _, var names, ..] } && names != PickleValue.None)
        {
            return null;
        }

        if (!long.TryParse(code.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var itemSize))
        {
            return null;
        }

        itemSize = code[0] == 'U' ? itemSize * 4 : itemSize;
        if (
            dtype.State is TupleValue known
            && known.Items.Length > StateItemSize
            && known.Items[StateItemSize] is NumberValue { Number: > 0 } declared
        )
        {
            itemSize = declared.Number;
        }

        try
        {
            var bytes = shape.Items.Aggregate(itemSize, (sum, item) => checked(sum * ((NumberValue)item).Number));
            var padded = mapping.Get("numpy_array_alignment_bytes") is { } alignment && alignment != PickleValue.None;
            return bytes < 0 ? null : new JoblibArray(HoldsObjects: false, padded, bytes);
        }
        catch (Exception error) when (error is OverflowException or InvalidCastException)
        {
            return null;
        }
    }
}
