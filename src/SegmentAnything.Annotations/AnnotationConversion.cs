namespace SegmentAnything.Annotations;

/// <summary>What a conversion did.</summary>
/// <param name="Images">Pictures that were read.</param>
/// <param name="Annotations">Their annotations.</param>
/// <param name="Masks">Those of them that have a mask with at least a pixel.</param>
/// <param name="EmptyMasks">Those that have a mask without a pixel.</param>
/// <param name="WithoutMask">Those that have a box at most.</param>
/// <param name="Losses">What could not be carried over, counted.</param>
public sealed record AnnotationConversionResult(long Images, long Annotations, long Masks, long EmptyMasks, long WithoutMask, AnnotationLosses Losses);

/// <summary>Turns annotations of one format into another.</summary>
public static class AnnotationConversion
{
    /// <summary>Reads one file or folder and writes another.</summary>
    /// <param name="input">What is read.</param>
    /// <param name="from">Its format; <see cref="AnnotationFormat.Detect"/> finds it.</param>
    /// <param name="output">What is written; it replaces what is there.</param>
    /// <param name="to">Its format.</param>
    /// <param name="readOptions">What the reader needs beyond the file.</param>
    /// <param name="writeOptions">How it is written. Without properties of the file those that were read are written.</param>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="AnnotationFormatException">The input is malformed.</exception>
    /// <exception cref="ArgumentException">The output, or a file of it, is one that is read, by whatever name; or the input holds what the output's format refuses.</exception>
    /// <exception cref="InvalidOperationException">There are several images, or none, and the output is a file of one.</exception>
    /// <exception cref="NotSupportedException">The formats cannot be read or written.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled. A format of one file leaves nothing behind then.</exception>
    public static AnnotationConversionResult Convert(
        string input, AnnotationFormat from, string output, AnnotationFormat to,
        AnnotationReadOptions? readOptions = null, AnnotationWriteOptions? writeOptions = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(output);
        var inputs = new ProtectedFiles(input);
        inputs.Check(output);
        writeOptions ??= new AnnotationWriteOptions();
        var losses = new AnnotationLosses();
        long images = 0, annotations = 0, masks = 0, empty = 0, without = 0;
        using AnnotationReader reader = from.OpenRead(input, readOptions);
        AnnotationWriter? writer = null;
        try
        {
            foreach (ImageAnnotations image in reader.ReadImages(cancellationToken))
            {
                // What a file says of itself is known by now.
                writer ??= Begin();
                writer.Add(image, reader.Categories, cancellationToken);
                images++;
                annotations += image.Annotations.Count;
                without += image.Annotations.Count(a => a.Mask is null);
                empty += image.Annotations.Count(a => a.Mask is { IsEmpty: true });
                masks += image.Annotations.Count(a => a.Mask is { IsEmpty: false });
            }

            writer ??= Begin();
            writer.Complete();
            if (!to.Keeps.HasFlag(Keeps.File)) losses.Add("properties of the file", reader.Other.Count);
            losses.Add(reader.Losses);
            losses.Add(writer.Losses);
        }
        finally
        {
            writer?.Dispose();
        }

        return new AnnotationConversionResult(images, annotations, masks, empty, without, losses);

        AnnotationWriter Begin() => to.CreateWriter(output, writeOptions with { Other = writeOptions.Other ?? reader.Other, Protected = inputs });
    }
}
