using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>Boundaries that people drew, from the files of BSDS500.</summary>
/// <remarks>
/// A file is MATLAB's level 5: a variable <c>groundTruth</c>, a cell for each person, which is a structure with <c>Boundaries</c>.
/// Nothing else of that format is read. Source: MAT-File Format (MathWorks); BSDS500 (Arbelaez et al. 2011).
/// </remarks>
public static class BsdsBoundaries
{
    // A picture of the set has 154,401 pixels, and a file of it some ten matrices of so many.
    private const int MostBytes = 1 << 28, MostDepth = 8;

    private const int HeaderBytes = 128, TagBytes = 8;

    // Types of elements, and classes of arrays.
    private const int Int8 = 1, UInt8 = 2, Int16 = 3, UInt16 = 4, Int32 = 5, UInt32 = 6, Double = 9, MatrixElement = 14, CompressedElement = 15, Cell = 1, Structure = 2;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>What each person drew, all of one size.</returns>
    /// <exception cref="InvalidDataException">It is no such file, or damaged; the message says where.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<RleMask> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = new FileInfo(path);
        if (file.Exists && file.Length > MostBytes) throw new InvalidDataException($"{path}: has {file.Length} bytes; {MostBytes} at most are read.");
        return Read(File.ReadAllBytes(path), path);
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <param name="file">The bytes.</param>
    /// <param name="name">What messages call the file.</param>
    /// <inheritdoc cref="Read(string)" path="/returns|/exception"/>
    public static IReadOnlyList<RleMask> Read(ReadOnlyMemory<byte> file, string name)
    {
        try
        {
            if (file.Length < HeaderBytes || file.Span[126] != (byte)'I' || file.Span[127] != (byte)'M')
                throw new InvalidDataException("is no MATLAB file of level 5 with little-endian numbers");
            var rest = new Elements(file[HeaderBytes..]);
            while (rest.Next() is { } element)
            {
                (int type, ReadOnlyMemory<byte> data) = element.Type == CompressedElement ? Inflated(element.Data) : element;
                if (type == MatrixElement && Matrix.Parse(data, 0) is { Name: "groundTruth", Class: Cell } people) return Boundaries(people);
            }

            throw new InvalidDataException("has no cell array groundTruth, which BSDS500's files have");
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{name}: {e.Message}.", e);
        }
    }

    private static RleMask[] Boundaries(Matrix people)
    {
        RleMask[] drawn = [.. people.Children.Select((person, i) =>
        {
            if (person.Children.FirstOrDefault(child => child.Name == "Boundaries") is not { } boundaries)
                throw new InvalidDataException($"person {i + 1} of groundTruth has no Boundaries");
            return RleMask.FromColumnMajor(boundaries.ToBits(), boundaries.Columns, boundaries.Rows);
        })];
        if (drawn.Length == 0) throw new InvalidDataException("groundTruth is of no person");
        return drawn.FirstOrDefault(other => other.Width != drawn[0].Width || other.Height != drawn[0].Height) is { } odd
            ? throw new InvalidDataException($"one person drew {drawn[0].Width}x{drawn[0].Height} pixels, another {odd.Width}x{odd.Height}") : drawn;
    }

    private static (int Type, ReadOnlyMemory<byte> Data) Inflated(ReadOnlyMemory<byte> data)
    {
        using var source = new ZLibStream(new MemoryStream(data.ToArray()), CompressionMode.Decompress);
        using var target = new MemoryStream();
        byte[] piece = new byte[1 << 16];
        for (int read; (read = source.Read(piece)) > 0;)
        {
            if (target.Length + read > MostBytes) throw new InvalidDataException($"a variable has more than {MostBytes} bytes");
            target.Write(piece.AsSpan(0, read));
        }

        return new Elements(target.ToArray()).Next() ?? throw new InvalidDataException("a compressed variable is empty");
    }

    /// <summary>Elements one after the other, each a tag and its data.</summary>
    private sealed class Elements(ReadOnlyMemory<byte> bytes)
    {
        private int _at;

        public (int Type, ReadOnlyMemory<byte> Data)? Next()
        {
            if (bytes.Length - _at < TagBytes) return null;
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[_at..]);
            bool small = type >> 16 != 0; // the size is in the upper half, and the data where the size would be
            uint size = small ? type >> 16 : BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[(_at + 4)..]);
            int start = _at + (small ? 4 : TagBytes);
            if (size > bytes.Length - start) throw new InvalidDataException($"an element of {size} bytes goes beyond its end");
            long end = small ? _at + TagBytes : start + (long)size;
            // Elements begin at multiples of 8, but for what follows a compressed one.
            _at = (int)Math.Min(bytes.Length, type == CompressedElement ? end : (end + 7) & ~7L);
            return ((int)(type & 0xFFFF), bytes.Slice(start, (int)size));
        }

        public ReadOnlyMemory<byte> Expect(int type, string what) =>
            Next() is { } element && element.Type == type ? element.Data : throw new InvalidDataException($"a matrix lacks its {what}");
    }

    private sealed record Matrix(string Name, int Class, int Rows, int Columns, IReadOnlyList<Matrix> Children, (int Type, ReadOnlyMemory<byte> Data) Values)
    {
        public static Matrix Parse(ReadOnlyMemory<byte> bytes, int depth)
        {
            if (depth > MostDepth) throw new InvalidDataException($"matrices within matrices go deeper than {MostDepth}");
            if (bytes.IsEmpty) return new Matrix("", 0, 0, 0, [], default); // MATLAB's empty cell
            var elements = new Elements(bytes);
            ReadOnlyMemory<byte> flags = elements.Expect(UInt32, "flags"), size = elements.Expect(Int32, "size");
            if (flags.Length < 1 || size.Length != 8) throw new InvalidDataException("a matrix is not one of rows and columns");
            int kind = flags.Span[0], rows = BinaryPrimitives.ReadInt32LittleEndian(size.Span), columns = BinaryPrimitives.ReadInt32LittleEndian(size.Span[4..]);
            if (rows < 0 || columns < 0 || (long)rows * columns > MostBytes) throw new InvalidDataException($"a matrix has {rows} rows and {columns} columns");
            string name = Encoding.ASCII.GetString(elements.Expect(Int8, "name").Span);
            var children = new List<Matrix>();
            if (kind == Cell)
            {
                while (elements.Next() is { } child) children.Add(Parse(child.Data, depth + 1));
            }
            else if (kind == Structure)
            {
                ReadOnlyMemory<byte> length = elements.Expect(Int32, "length of names"), names = elements.Expect(Int8, "names");
                int width = length.Length == 4 ? BinaryPrimitives.ReadInt32LittleEndian(length.Span) : 0;
                if (width < 1) throw new InvalidDataException($"names of {width} bytes");
                for (int at = 0; at + width <= names.Length && elements.Next() is { } child; at += width)
                    children.Add(Parse(child.Data, depth + 1) with { Name = Encoding.ASCII.GetString(names.Span.Slice(at, width)).TrimEnd('\0') });
            }

            return new Matrix(name, kind, rows, columns, children, kind is Cell or Structure ? default : elements.Next() ?? default);
        }

        // 1 where a value is not 0, down the columns.
        public byte[] ToBits()
        {
            int each = Values.Type switch
            {
                Int8 or UInt8 => 1,
                Int16 or UInt16 => 2,
                Int32 or UInt32 => 4,
                Double => 8,
                _ => throw new InvalidDataException($"Boundaries are numbers of type {Values.Type}, which is not read"),
            };
            if (Rows < 1 || Columns < 1 || Values.Data.Length != (long)Rows * Columns * each)
                throw new InvalidDataException($"Boundaries of {Rows} rows and {Columns} columns have {Values.Data.Length} bytes");
            byte[] bits = new byte[Rows * Columns];
            for (int i = 0; i < bits.Length; i++) bits[i] = Values.Data.Span.Slice(i * each, each).ContainsAnyExcept((byte)0) ? (byte)1 : (byte)0;
            return bits;
        }
    }
}
