using System.Text.Json;
using SegmentAnything.Annotations.Json;

namespace SegmentAnything.Annotations;

/// <summary>What can be seen of a file without reading it: formats are recognised by it.</summary>
internal sealed class FileProbe
{
    // Names that leave no doubt; what comes before may be a long list.
    private static readonly string[] Telling = ["image", "images", "categories", "shapes", "features"];

    private readonly HashSet<string> _properties = new(StringComparer.Ordinal);
    private readonly HashSet<string> _ofFirstElement = new(StringComparer.Ordinal);

    private FileProbe(string path, CancellationToken cancellation) => (Path, Cancellation) = (path, cancellation);

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>Looked at while files are gone through.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>Whether it is a folder.</summary>
    public bool IsFolder { get; private init; }

    /// <summary>Its extension in lower case, with the point; empty for a folder.</summary>
    public string Extension { get; private init; } = "";

    /// <summary>Whether it is JSON.</summary>
    public bool IsJson { get; private set; }

    /// <summary>Whether it is a JSON list.</summary>
    public bool IsJsonList { get; private set; }

    /// <summary>Whether a JSON list has no element.</summary>
    public bool IsEmptyList { get; private set; }

    /// <summary>The first kilobyte of a file that is text.</summary>
    public string Start { get; private set; } = "";

    /// <summary>Whether a JSON object has a property.</summary>
    public bool Has(string property) => _properties.Contains(property);

    /// <summary>Whether the first element of a JSON list has a property.</summary>
    public bool ElementHas(string property) => _ofFirstElement.Contains(property);

    /// <summary>Looks at a file or a folder.</summary>
    public static FileProbe Of(string path, CancellationToken cancellation)
    {
        if (Directory.Exists(path)) return new FileProbe(path, cancellation) { IsFolder = true };
        var probe = new FileProbe(path, cancellation) { Extension = System.IO.Path.GetExtension(path).ToLowerInvariant() };
        Span<byte> start = stackalloc byte[1024];
        using (FileStream file = InputFile.Open(path)) start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        ReadOnlySpan<byte> text = start.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? start[3..] : start;
        text = text.TrimStart(" \t\r\n"u8);
        probe.Start = System.Text.Encoding.UTF8.GetString(text);
        if (!text.IsEmpty && text[0] is (byte)'{' or (byte)'[' || probe.Extension is ".json" or ".geojson") probe.LookAtJson();
        return probe;
    }

    /// <summary>What to say of a file that no format recognises.</summary>
    public string Unknown() => this switch
    {
        { IsFolder: true } => $"{Path}: the folder holds no annotations that are known: .json files, a metadata.csv beside mask PNGs, YOLO's .txt files or label map PNGs were expected",
        { IsJsonList: true } => $"{Path}: the list's first element has neither \"segmentation\" nor \"image_id\" nor \"data\": it is no list of results, masks or tasks",
        { IsJson: true } => $"{Path}: neither \"images\" nor \"annotations\" with them (COCO), nor \"image\" (SA-1B), \"shapes\" (labelme) or \"features\" (GeoJSON): it is no file of annotations that is known",
        _ => $"{Path}: neither JSON nor CVAT's XML, a CSV file with run lengths, YOLO's text or a PNG: it is no file of annotations that is known",
    };

    private void LookAtJson()
    {
        IsJson = true;
        using var pieces = JsonPieceReader.Open(Path);
        while (pieces.Read(Cancellation))
        {
            if (pieces.Property.Length > 0)
            {
                if (_properties.Add(pieces.Property) && Telling.Contains(pieces.Property)) return;
                continue;
            }

            IsJsonList = IsEmptyList = true;
            if (pieces.Kind != PieceKind.Element) continue;
            IsEmptyList = false;
            if (pieces.Piece[0] != '{') return;
            AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) =>
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    _ofFirstElement.Add(reader.GetString()!);
                    reader.Skip();
                }

                return true;
            });
            return;
        }
    }
}
