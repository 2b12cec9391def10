using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace SegmentAnything.Text;

/// <summary>CLIP's own division of text into tokens.</summary>
/// <remarks>
/// Lower case, composed letters, one blank between words, HTML's entities resolved; then byte pairs. Source: openai/CLIP,
/// simple_tokenizer.py, without ftfy's repair of text that was decoded wrongly. Where .NET runs without ICU (invariant
/// globalization) letters whose accents follow them are not composed. Safe to use from several threads.
/// </remarks>
public sealed partial class ClipTokenizer
{
    /// <summary>Tokens of a text at most, its beginning and end included.</summary>
    public const int ContextLength = 77;

    // The first merges that count: the vocabulary's 49,408 entries less 512 bytes and two marks.
    private const int MergeCount = 49_152 - 256 - 2;
    private const string Begin = "<|startoftext|>", End = "<|endoftext|>";

    private readonly BpeTokenizer _tokenizer;

    private ClipTokenizer(IReadOnlyDictionary<string, int> vocabulary, IEnumerable<string> merges, string source)
    {
        if (!vocabulary.TryGetValue(Begin, out int begin) || !vocabulary.TryGetValue(End, out int end))
            throw new ModelContractException($"{source} has no {Begin} or no {End}: it is not CLIP's vocabulary.");
        (BeginId, EndId) = (begin, end);
        // Marks within a text are tokens, too, as in the official code.
        var marks = new Dictionary<string, int> { [Begin] = begin, [End] = end };
        _tokenizer = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = merges,
            ByteLevel = true,
            EndOfWordSuffix = "</w>",
            SpecialTokens = marks,
            PreTokenizer = new RegexPreTokenizer(Pieces(), marks),
        });
    }

    /// <summary>The token before every text.</summary>
    public int BeginId { get; }

    /// <summary>The token behind every text.</summary>
    public int EndId { get; }

    /// <summary>Loads a vocabulary.</summary>
    /// <param name="folder">
    /// A folder with vocab.json and merges.txt (Hugging Face's form) or bpe_simple_vocab_16e6.txt (OpenAI's), each also with .gz behind.
    /// </param>
    /// <exception cref="FileNotFoundException">The folder has neither.</exception>
    /// <exception cref="ModelContractException">What it has is no vocabulary of CLIP.</exception>
    public static ClipTokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (Find(folder, "vocab.json") is { } vocabulary && Find(folder, "merges.txt") is { } merges)
            return new ClipTokenizer(ReadVocabulary(vocabulary), ReadLines(merges).Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)), vocabulary);
        if (Find(folder, "bpe_simple_vocab_16e6.txt") is { } simple)
        {
            string[] pairs = [.. ReadLines(simple).Skip(1).Take(MergeCount)];
            return new ClipTokenizer(VocabularyOf(pairs), pairs, simple);
        }

        throw new FileNotFoundException($"{folder} has no vocabulary: put vocab.json and merges.txt, or bpe_simple_vocab_16e6.txt.gz, of the model there.");
    }

    /// <summary>Divides a text.</summary>
    /// <param name="text">The text.</param>
    /// <returns>
    /// The tokens with the beginning and the end; what is beyond <see cref="ContextLength"/> is cut off, the end stays.
    /// </returns>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> tokens = [BeginId, .. _tokenizer.EncodeToIds(Clean(text), considerPreTokenization: true, considerNormalization: false)];
        if (tokens.Count > ContextLength - 1) tokens.RemoveRange(ContextLength - 1, tokens.Count - ContextLength + 1);
        tokens.Add(EndId);
        return [.. tokens];
    }

    internal static string Clean(string text)
    {
        string composed = text.Normalize(NormalizationForm.FormC);
        // Twice, as the official code does: "&amp;amp;" is "&".
        string unescaped = WebUtility.HtmlDecode(WebUtility.HtmlDecode(composed));
        return Blanks().Replace(unescaped, " ").Trim().ToLowerInvariant();
    }

    private static string? Find(string folder, string name)
    {
        string plain = Path.Combine(folder, name);
        return File.Exists(plain) ? plain : File.Exists(plain + ".gz") ? plain + ".gz" : null;
    }

    private static Stream Open(string path)
    {
        FileStream file = File.OpenRead(path);
        return path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
    }

    private static IEnumerable<string> ReadLines(string path)
    {
        const int mostLines = 1_000_000;
        using var reader = new StreamReader(Open(path), Encoding.UTF8);
        for (int count = 0; reader.ReadLine() is { } line; count++)
        {
            if (count == mostLines) throw new ModelContractException($"{path} has more than {mostLines} lines: it is no vocabulary.");
            yield return line;
        }
    }

    private static Dictionary<string, int> ReadVocabulary(string path)
    {
        using Stream stream = Open(path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(stream);
            return document.RootElement.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new ModelContractException($"{path} is no vocabulary: {e.Message}", innerException: e);
        }
    }

    // Numbered as the official code does: bytes, bytes that end a word, merges, marks.
    private static Dictionary<string, int> VocabularyOf(string[] pairs)
    {
        string[] bytes = [.. ByteLetters()];
        var vocabulary = new Dictionary<string, int>();
        foreach (string token in bytes.Concat(bytes.Select(letter => letter + "</w>"))
            .Concat(pairs.Select(pair => pair.Replace(" ", "", StringComparison.Ordinal))).Append(Begin).Append(End))
        {
            vocabulary.TryAdd(token, vocabulary.Count);
        }

        return vocabulary;
    }

    // A printable letter for every byte: those that are printable first, then the others from U+0100 on.
    private static IEnumerable<string> ByteLetters()
    {
        static bool IsPrintable(int value) => value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
        for (int value = 0; value < 256; value++)
        {
            if (IsPrintable(value)) yield return ((char)value).ToString(CultureInfo.InvariantCulture);
        }

        int next = 0x100;
        for (int value = 0; value < 256; value++)
        {
            if (!IsPrintable(value)) yield return ((char)next++).ToString(CultureInfo.InvariantCulture);
        }
    }

    [GeneratedRegex(@"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Pieces();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
