using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using CommunityToolkit.HighPerformance.Buffers;

namespace SegmentAnything;

/// <summary>
/// What the image encoder made of one image, to be prompted any number of times: the model's maps, and the frame that the
/// image lies in. A value: it belongs to no session, so it can be kept, saved, loaded and shared between threads. What a mask
/// decoder makes of it lives with the decoder: <see cref="SamOptions.PreparedImageBudget"/>.
/// </summary>
/// <remarks>Disposing gives its memory back; a prediction that is under way on another thread is waited for by that memory.</remarks>
public sealed class ImageEmbedding : IDisposable
{
    private const uint Magic = 0x4D454153; // "SAEM", little-endian
    private const int FormatVersion = 2;
    private const int MaxNameBytes = 256;
    private const int MaxMaps = 16;
    private const long MaxValues = 1 << 28;

    private readonly Lock _gate = new();
    private readonly MemoryOwner<float> _values;
    private int _uses;
    private bool _disposed;

    /// <summary>Makes an embedding of values that were computed elsewhere.</summary>
    /// <param name="values">All maps, one after the other, each channels x rows x columns, row-major. They are copied.</param>
    /// <param name="maps">The maps; the first is <see cref="FeatureMapShape.Embedding"/>.</param>
    /// <param name="frame">Where the image lies in the model's frame.</param>
    /// <param name="modelName">The name of the model that made it.</param>
    /// <param name="encoderFingerprint">The SHA-256 of the encoder that made it, in hexadecimal.</param>
    /// <exception cref="ArgumentException">There are more or fewer values than the maps have, one is NaN or infinite, or the first map is another one.</exception>
    public ImageEmbedding(
        ReadOnlySpan<float> values, IReadOnlyList<FeatureMapShape> maps, ImageFrame frame, string modelName, string encoderFingerprint)
        : this(Copy(values, maps), [.. maps], frame, modelName, encoderFingerprint)
    {
    }

    internal ImageEmbedding(
        MemoryOwner<float> values, ImmutableArray<FeatureMapShape> maps, ImageFrame frame, string modelName, string encoderFingerprint)
    {
        _values = values;
        Maps = maps;
        Frame = frame;
        ModelName = modelName;
        EncoderFingerprint = encoderFingerprint;
    }

    // Once, when the memory is given back.
    internal event Action? Released;

    /// <summary>The embedding: channels x rows x columns (256 x 64 x 64), row-major. The first of <see cref="Maps"/>.</summary>
    /// <exception cref="ObjectDisposedException">The embedding was disposed.</exception>
    public ReadOnlySpan<float> Values => AllValues[..Maps[0].Length];

    /// <summary>What there is: one map for SAM, more for families whose decoders read others too.</summary>
    public ImmutableArray<FeatureMapShape> Maps { get; }

    /// <summary>Bytes of all maps: what a cache counts.</summary>
    public long ByteCount => Maps.Sum(map => (long)map.Length) * sizeof(float);

    /// <summary>Where the image lies in the model's frame.</summary>
    public ImageFrame Frame { get; }

    /// <summary>Channels at each position: 256.</summary>
    public int Channels => Maps[0].Channels;

    /// <summary>Rows, and columns, of the embedding: 64.</summary>
    public int GridSize => Maps[0].Side;

    /// <summary>The side of the square frame that the image was brought to, in pixels: 1024.</summary>
    public int ModelSize => Frame.ModelSize;

    /// <summary>The size of the image, in pixels.</summary>
    public ImageSize SourceSize => Frame.SourceSize;

    /// <summary>The name of the model that made it.</summary>
    public string ModelName { get; }

    /// <summary>The SHA-256 of the encoder that made it, in hexadecimal.</summary>
    public string EncoderFingerprint { get; }

    /// <summary>All maps, one after the other.</summary>
    internal ReadOnlySpan<float> AllValues
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _values.Span;
        }
    }

    /// <summary>The values of one map: channels x rows x columns, row-major.</summary>
    /// <param name="map">The name of one of <see cref="Maps"/>.</param>
    /// <exception cref="KeyNotFoundException">There is no such map; the message lists those that there are.</exception>
    /// <exception cref="ObjectDisposedException">The embedding was disposed.</exception>
    public ReadOnlySpan<float> ValuesOf(string map)
    {
        int start = 0;
        foreach (FeatureMapShape shape in Maps)
        {
            if (shape.Name == map) return AllValues.Slice(start, shape.Length);
            start += shape.Length;
        }

        throw new KeyNotFoundException($"The embedding has no map '{map}', only {string.Join(", ", Maps.Select(m => m.Name))}.");
    }

    /// <summary>Reads an embedding that <see cref="Save"/> wrote.</summary>
    /// <param name="source">Read from where it stands to the embedding's end.</param>
    /// <exception cref="InvalidDataException">
    /// The stream holds no embedding, one of a newer version, or one that was cut short or changed.
    /// </exception>
    /// <remarks>
    /// Little-endian: magic, version, sizes, fit, the maps' names and sizes, names, values, SHA-256 of all that. Nothing is
    /// trusted before the hash agrees. Version 1, of 0.1.0, has one map; it is read as well.
    /// </remarks>
    public static ImageEmbedding Load(Stream source)
    {
        ArgumentNullException.ThrowIfNull(source);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (ReadUInt32() != Magic) throw new InvalidDataException("Not a saved image embedding: its first four bytes are not 'SAEM'.");
        int version = ReadInt32();
        if (version is < 1 or > FormatVersion)
        {
            throw new InvalidDataException(
                $"The image embedding was saved in version {version} of the format; this library reads versions 1 to {FormatVersion}. Encode the image again.");
        }

        ImageSize sourceSize = new(ReadSize("width", PixelBuffer.MaxSide), ReadSize("height", PixelBuffer.MaxSide));
        int modelSize = ReadSize("model size", 16384);
        // Version 1 knew one map and images that are padded.
        PictureFit fit = version == 1 ? PictureFit.Pad : (PictureFit)ReadSize("fit", (int)PictureFit.Squash);
        var maps = new FeatureMapShape[version == 1 ? 1 : ReadSize("number of maps", MaxMaps)];
        for (int i = 0; i < maps.Length; i++)
        {
            string name = version == 1 ? FeatureMapShape.Embedding : ReadText("map's name");
            maps[i] = new FeatureMapShape(name, ReadSize("channel count", 4096), ReadSize("grid size", 1024));
        }

        string modelName = ReadText("model name");
        string fingerprint = ReadText("encoder fingerprint");
        long count = maps.Sum(LengthOf);
        if (count > MaxValues) throw new InvalidDataException($"The saved image embedding is damaged: it claims {count} values, expected {MaxValues} at most.");
        // Before any memory is taken for what a few bytes claim.
        if (source.CanSeek && source.Length - source.Position < (count * sizeof(float)) + SHA256.HashSizeInBytes)
            throw new InvalidDataException($"The saved image embedding was cut short: {source.Length - source.Position} bytes are left of it, {(count * sizeof(float)) + SHA256.HashSizeInBytes} expected.");

        MemoryOwner<float> values = ReadValues((int)count);
        try
        {
            if (!BitConverter.IsLittleEndian) ReverseEndianness(values.Span);
            Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
            hash.GetHashAndReset(expected);
            Span<byte> found = stackalloc byte[SHA256.HashSizeInBytes];
            source.ReadExactly(found);
            if (!expected.SequenceEqual(found)) throw new InvalidDataException("The saved image embedding is damaged: its checksum does not agree.");
            if (!AreFinite(values.Span)) throw new InvalidDataException("The saved image embedding holds NaN or infinity: what made it was damaged. Encode the image again.");
            return new ImageEmbedding(values, [.. maps], new ImageFrame(sourceSize, modelSize, fit), modelName, fingerprint);
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

        // A stream that does not tell its length is believed as far as it has got: memory doubles with what has arrived.
        MemoryOwner<float> ReadValues(int total)
        {
            const int first = 1 << 18;
            MemoryOwner<float> values = MemoryOwner<float>.Allocate(source.CanSeek ? total : Math.Min(total, first));
            try
            {
                for (int done = 0; ;)
                {
                    Fill(MemoryMarshal.AsBytes(values.Span[done..]));
                    done = values.Length;
                    if (done == total) return values;
                    MemoryOwner<float> larger = MemoryOwner<float>.Allocate((int)Math.Min(total, 2L * done));
                    values.Span.CopyTo(larger.Span);
                    values.Dispose();
                    values = larger;
                }
            }
            catch
            {
                values.Dispose();
                throw;
            }
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
    /// <param name="destination">About 4 MiB are written for SAM's published models.</param>
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
            writer.Write((int)Frame.Fit);
            writer.Write(Maps.Length);
            foreach (FeatureMapShape map in Maps)
            {
                WriteText(writer, map.Name);
                writer.Write(map.Channels);
                writer.Write(map.Side);
            }

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

    private static MemoryOwner<float> Copy(ReadOnlySpan<float> values, IReadOnlyList<FeatureMapShape> maps)
    {
        if (maps.Count == 0 || maps[0].Name != FeatureMapShape.Embedding)
            throw new ArgumentException($"The first map is '{FeatureMapShape.Embedding}'; found {(maps.Count == 0 ? "none" : $"'{maps[0].Name}'")}.", nameof(maps));
        long count = maps.Sum(LengthOf);
        if (count != values.Length) throw new ArgumentException($"The maps have {count} values, found {values.Length}.", nameof(values));
        if (!AreFinite(values)) throw new ArgumentException("An embedding has finite numbers; found NaN or infinity.", nameof(values));
        MemoryOwner<float> copy = MemoryOwner<float>.Allocate(values.Length);
        values.CopyTo(copy.Span);
        return copy;
    }

    private static bool AreFinite(ReadOnlySpan<float> values) => values.IsEmpty || float.IsFinite(TensorPrimitives.MaxMagnitude(values));

    // Of any sizes, without an overflow: no map that fits in memory has more.
    private static long LengthOf(FeatureMapShape map)
    {
        if (map.Channels < 1 || map.Side < 1) return -1;
        Int128 length = (Int128)map.Channels * map.Side * map.Side;
        return length > int.MaxValue ? int.MaxValue + 1L : (long)length;
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
        Released?.Invoke();
        Released = null;
        _values.Dispose();
    }

    /// <summary>Holds the embedding's memory while a prediction reads it.</summary>
    internal readonly struct Use(ImageEmbedding owner) : IDisposable
    {
        public void Dispose() => owner.EndUse();
    }
}
