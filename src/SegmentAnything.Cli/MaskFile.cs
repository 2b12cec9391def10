using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli;

/// <summary>Reads masks: a picture of one, or run lengths as JSON.</summary>
internal static class MaskFile
{
    /// <summary>What help says of it.</summary>
    public const string Description =
        "a picture of a mask, as large as the image or scaled, where the object is brighter than half of the brightest pixel; or JSON: run lengths as in COCO "
        + "({\"size\":[h,w],\"counts\":...}), or an object or a list of objects with \"segmentation\", as this tool writes it";

    /// <summary>Reads all masks of a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="ImageFileException">It is neither JSON nor a picture that can be read.</exception>
    /// <exception cref="InvalidDataException">It is JSON, but holds no masks, or damaged ones.</exception>
    public static RleMask[] ReadAll(string path)
    {
        if (FileStatus.Of(path) is { Kind: FileKind.Pipe or FileKind.Device }) throw new IOException($"{path}: is a pipe or a device; give a file.");
        byte[] file = File.ReadAllBytes(path);
        int start = file.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0;
        if (file.AsSpan(start).TrimStart(" \t\r\n"u8) is not [(byte)'{' or (byte)'[', ..]) return [FromPicture(ImageFile.Load(path))];
        try
        {
            using JsonDocument document = JsonDocument.Parse(file.AsMemory(start));
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("annotations", out JsonElement annotations)) root = annotations;
            return root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray().Select(Read)] : [Read(root, 0)];
        }
        catch (Exception e) when (e is JsonException or RleFormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads a file's only mask.</summary>
    /// <inheritdoc cref="ReadAll"/>
    public static RleMask Read(string path) => ReadAll(path) is var masks && masks is [RleMask only]
        ? only : throw new InvalidDataException($"{path}: holds {masks.Length} masks; give a file with one.");

    private static RleMask Read(JsonElement item, int index)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"item {index} is not an object; expected run lengths ({{\"size\":[h,w],\"counts\":...}}) or an object with \"segmentation\".");
        if (item.TryGetProperty("segmentation", out JsonElement segmentation)) item = segmentation;
        if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("counts", out _))
            throw new InvalidDataException($"item {index} has no run lengths; expected {{\"size\":[h,w],\"counts\":...}}. Polygons have no image size of their own: convert them first.");
        return item.Deserialize(RleJsonContext.Default.RleMask)
            ?? throw new InvalidDataException($"item {index} is null; expected run lengths.");
    }

    private static RleMask FromPicture(LoadedImage picture)
    {
        byte[] brightness = new byte[picture.Width * picture.Height];
        for (int i = 0; i < brightness.Length; i++)
            brightness[i] = Math.Max(picture.Pixels[3 * i], Math.Max(picture.Pixels[(3 * i) + 1], picture.Pixels[(3 * i) + 2]));
        int most = brightness.Max();
        for (int i = 0; i < brightness.Length; i++) brightness[i] = (byte)(2 * brightness[i] > most ? 1 : 0);
        return RleMask.FromBitmap(brightness, picture.Width, picture.Height);
    }
}
