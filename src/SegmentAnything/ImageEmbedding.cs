using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Decoding;
using SegmentAnything.Geometry;
using SegmentAnything.Masks;

namespace SegmentAnything;

/// <summary>
/// What the image encoder made of one image, to be prompted any number of times. A value: it remembers the source size
/// and belongs to no session, so it can be kept, saved, loaded and shared between threads.
/// </summary>
/// <remarks>Disposing gives its memory back; a prediction that is under way on another thread is waited for by that memory.</remarks>
public sealed class ImageEmbedding : IDisposable
{
    private const uint Magic = 0x4D454153; // "SAEM", little-endian
    private const int FormatVersion = 1;
    private const int MaxNameBytes = 256;

    private readonly Lock _gate = new();
    private readonly MemoryOwner<float> _values;
    private readonly List<(IMaskDecoderEngine Engine, IPreparedImage Image)> _prepared = [];
    private MaskUpscaler? _upscaler;
    private int _uses;
    private bool _disposed;

    internal ImageEmbedding(
        MemoryOwner<float> values, int channels, int gridSize, int modelSize, ImageSize sourceSize, string modelName, string encoderFingerprint)
    {
        _values = values;
        Channels = channels;
        GridSize = gridSize;
        ModelSize = modelSize;
        SourceSize = sourceSize;
        ModelName = modelName;
        EncoderFingerprint = encoderFingerprint;
    }

    /// <summary>The embedding: channels x rows x columns (256 x 64 x 64), row-major.</summary>
    /// <exception cref="ObjectDisposedException">The embedding was disposed.</exception>
    public ReadOnlySpan<float> Values
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _values.Span;
        }
    }

    /// <summary>Channels at each position: 256.</summary>
    public int Channels { get; }

    /// <summary>Rows, and columns, of the embedding: 64.</summary>
    public int GridSize { get; }

    /// <summary>The side of the square that the image was resized and padded to, in pixels: 1024.</summary>
    public int ModelSize { get; }

    /// <summary>The size of the image, in pixels.</summary>
    public ImageSize SourceSize { get; }

    /// <summary>The name of the model that made it.</summary>
    public string ModelName { get; }

    /// <summary>The SHA-256 of the encoder that made it, in hexadecimal.</summary>
    public string EncoderFingerprint { get; }

    internal LongestSideTransform Transform => new(SourceSize, ModelSize);

    internal MaskUpscaler Upscaler => _upscaler ??= new MaskUpscaler(Transform.ResizedSize, SourceSize, 4 * GridSize, ModelSize);

    /// <summary>Reads an embedding that <see cref="Save"/> wrote.</summary>
    /// <param name="source">Read from where it stands to the embedding's end.</param>
    /// <exception cref="InvalidDataException">
    /// The stream holds no embedding, one of a newer version, or one that was cut short or changed.
    /// </exception>
    /// <remarks>Little-endian: magic, version, sizes, names, values, SHA-256 of all that. Nothing is trusted before the hash agrees.</remarks>
    public static ImageEmbedding Load(Stream source)
    {
        ArgumentNullException.ThrowIfNull(source);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (ReadUInt32() != Magic) throw new InvalidDataException("Not a saved image embedding: its first four bytes are not 'SAEM'.");
        int version = ReadInt32();
        if (version != FormatVersion)
        {
            throw new InvalidDataException(
                $"The image embedding was saved in version {version} of the format; this library reads version {FormatVersion}. Encode the image again.");
        }

        ImageSize sourceSize = new(ReadSize("width", PixelBuffer.MaxSide), ReadSize("height", PixelBuffer.MaxSide));
        int modelSize = ReadSize("model size", 16384);
        int channels = ReadSize("channel count", 4096);
        int grid = ReadSize("grid size", 1024);
        string modelName = ReadText("model name");
        string fingerprint = ReadText("encoder fingerprint");

        MemoryOwner<float> values = MemoryOwner<float>.Allocate(checked(channels * grid * grid));
        try
        {
            Span<byte> bytes = MemoryMarshal.AsBytes(values.Span);
            Fill(bytes);
            if (!BitConverter.IsLittleEndian) ReverseEndianness(values.Span);
            Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
            hash.GetHashAndReset(expected);
            Span<byte> found = stackalloc byte[SHA256.HashSizeInBytes];
            source.ReadExactly(found);
            if (!expected.SequenceEqual(found)) throw new InvalidDataException("The saved image embedding is damaged: its checksum does not agree.");
            return new ImageEmbedding(values, channels, grid, modelSize, sourceSize, modelName, fingerprint);
        }
        catch (Exception e)
        {
            values.Dispose();
            if (e is EndOfStreamException) throw CutShort(e);
            throw;
        }

        void Fill(Span<byte> destination)
        {
            try
            {
                source.ReadExactly(destination);
            }
            catch (EndOfStreamException e)
            {
                throw CutShort(e);
            }

            hash.AppendData(destination);
        }

        static InvalidDataException CutShort(Exception inner) => new("The saved image embedding was cut short.", inner);

        int ReadInt32()
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            Fill(bytes);
            return BinaryPrimitives.ReadInt32LittleEndian(bytes);
        }

        uint ReadUInt32() => unchecked((uint)ReadInt32());

        int ReadSize(string what, int limit) => ReadInt32() is var value && value >= 1 && value <= limit
            ? value
            : throw new InvalidDataException($"The saved image embedding is damaged: its {what} is {value}, expected 1 to {limit}.");

        string ReadText(string what)
        {
            byte[] bytes = new byte[ReadSize("length of the " + what, MaxNameBytes)];
            Fill(bytes);
            return Encoding.UTF8.GetString(bytes);
        }
    }

    /// <summary>Writes the embedding, to be read by <see cref="Load"/> on any machine.</summary>
    /// <param name="destination">About 4 MiB are written for the published models.</param>
    /// <exception cref="ObjectDisposedException">The embedding was disposed.</exception>
    public void Save(Stream destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using Use use = Acquire();
        using MemoryStream header = new();
        using (BinaryWriter writer = new(header, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(FormatVersion);
            writer.Write(SourceSize.Width);
            writer.Write(SourceSize.Height);
            writer.Write(ModelSize);
            writer.Write(Channels);
            writer.Write(GridSize);
            WriteText(writer, ModelName);
            WriteText(writer, EncoderFingerprint);
        }

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Write(header.GetBuffer().AsSpan(0, (int)header.Length));
        if (BitConverter.IsLittleEndian)
        {
            Write(MemoryMarshal.AsBytes(_values.Span));
        }
        else
        {
            float[] swapped = _values.Span.ToArray();
            ReverseEndianness(swapped);
            Write(MemoryMarshal.AsBytes<float>(swapped));
        }

        destination.Write(hash.GetHashAndReset());

        void Write(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(bytes);
            destination.Write(bytes);
        }

        static void WriteText(BinaryWriter writer, string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            writer.Write(bytes.Length);
            writer.Write(bytes);
        }
    }

    /// <summary>Gives the memory back. The embedding cannot be prompted afterwards.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            if (_uses == 0) Release();
        }
    }

    /// <summary>Keeps the memory alive until the returned value is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The embedding was disposed.</exception>
    internal Use Acquire()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _uses++;
        }

        return new Use(this);
    }

    /// <summary>
    /// What an engine makes of this image without a mask prompt: made on first use, then kept. Call it while holding
    /// a <see cref="Use"/>; the embedding disposes it.
    /// </summary>
    internal IPreparedImage PrepareFor(IMaskDecoderEngine engine, ReadOnlySpan<float> noMaskDense, CancellationToken cancellationToken)
    {
        lock (_prepared)
        {
            foreach ((IMaskDecoderEngine known, IPreparedImage image) in _prepared)
            {
                if (ReferenceEquals(known, engine)) return image;
            }

            IPreparedImage prepared = engine.Prepare(_values.Span, noMaskDense, null, cancellationToken);
            _prepared.Add((engine, prepared));
            return prepared;
        }
    }

    private static void ReverseEndianness(Span<float> values)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        BinaryPrimitives.ReverseEndianness(bits, bits);
    }

    private void EndUse()
    {
        lock (_gate)
        {
            if (--_uses == 0 && _disposed) Release();
        }
    }

    private void Release()
    {
        foreach ((_, IPreparedImage image) in _prepared) image.Dispose();
        _prepared.Clear();
        _values.Dispose();
    }

    /// <summary>Holds the embedding's memory while a prediction reads it.</summary>
    internal readonly struct Use(ImageEmbedding owner) : IDisposable
    {
        public void Dispose() => owner.EndUse();
    }
}
