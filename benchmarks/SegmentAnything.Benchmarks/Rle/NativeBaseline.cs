using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>
/// The plain way in C (benchmarks/native/rle_baseline.c), compiled at start with the system's compiler for this very
/// processor, where there is a compiler.
/// </summary>
internal static unsafe class NativeBaseline
{
    /// <summary>The first line of the compiler's own version text.</summary>
    public static string Compiler { get; private set; } = "none";

    private static readonly nint Library = Load();

    /// <summary>Whether there is a compiler and it worked.</summary>
    public static bool IsAvailable => Library != 0;

    public static readonly delegate* unmanaged<byte*, int, uint*, int> Encode =
        (delegate* unmanaged<byte*, int, uint*, int>)Export("encode");

    public static readonly delegate* unmanaged<byte*, int, int, byte*, uint*, int> EncodeRows =
        (delegate* unmanaged<byte*, int, int, byte*, uint*, int>)Export("encode_rows");

    public static readonly delegate* unmanaged<uint*, int, byte*, void> Decode =
        (delegate* unmanaged<uint*, int, byte*, void>)Export("decode");

    public static readonly delegate* unmanaged<uint*, int, int, int, byte*, byte*, void> DecodeRows =
        (delegate* unmanaged<uint*, int, int, int, byte*, byte*, void>)Export("decode_rows");

    public static readonly delegate* unmanaged<uint*, int, uint*, void> Area =
        (delegate* unmanaged<uint*, int, uint*, void>)Export("area");

    public static readonly delegate* unmanaged<uint*, int, uint> AreaInARegister =
        (delegate* unmanaged<uint*, int, uint>)Export("area_in_a_register");

    public static readonly delegate* unmanaged<uint*, int, int, int, uint*, void> Box =
        (delegate* unmanaged<uint*, int, int, int, uint*, void>)Export("box");

    public static readonly delegate* unmanaged<uint*, int, byte*, int> ToText =
        (delegate* unmanaged<uint*, int, byte*, int>)Export("to_text");

    public static readonly delegate* unmanaged<byte*, uint*, int> FromText =
        (delegate* unmanaged<byte*, uint*, int>)Export("from_text");

    public static readonly delegate* unmanaged<byte*, int*, uint*> NewFromText =
        (delegate* unmanaged<byte*, int*, uint*>)Export("new_from_text");

    public static readonly delegate* unmanaged<uint*, void> Free =
        (delegate* unmanaged<uint*, void>)Export("free");

    public static readonly delegate* unmanaged<uint*, int, uint*, int, int, uint*, int> Merge =
        (delegate* unmanaged<uint*, int, uint*, int, int, uint*, int>)Export("merge");

    public static readonly delegate* unmanaged<uint**, int*, int, uint**, int*, int, int, int, double*, void> Iou =
        (delegate* unmanaged<uint**, int*, int, uint**, int*, int, int, int, double*, void>)Export("iou");

    public static readonly delegate* unmanaged<double*, int, int, int, uint*, int> Polygon =
        (delegate* unmanaged<double*, int, int, int, uint*, int>)Export("polygon");

    public static readonly delegate* unmanaged<byte*, int, int, int*, int*, int> Components =
        (delegate* unmanaged<byte*, int, int, int*, int*, int>)Export("components");

    public static readonly delegate* unmanaged<float*, int, float, byte*, int> Suppress =
        (delegate* unmanaged<float*, int, float, byte*, int>)Export("nms");

    public static readonly delegate* unmanaged<byte*, int, int, int, byte*, byte*, void> Dilate =
        (delegate* unmanaged<byte*, int, int, int, byte*, byte*, void>)Export("dilate");

    public static readonly delegate* unmanaged<byte*, int, int, int, byte*, void> DilateDisk =
        (delegate* unmanaged<byte*, int, int, int, byte*, void>)Export("dilate_disk");

    public static readonly delegate* unmanaged<byte*, int, int, byte*, void> Transpose =
        (delegate* unmanaged<byte*, int, int, byte*, void>)Export("transpose");

    public static readonly delegate* unmanaged<byte*, int, int, int, int, byte*, void> Resize =
        (delegate* unmanaged<byte*, int, int, int, int, byte*, void>)Export("resize");

    public static readonly delegate* unmanaged<byte*, byte*, int, double> Dice =
        (delegate* unmanaged<byte*, byte*, int, double>)Export("dice");

    private static nint Export(string name) =>
        Library == 0 ? 0 : NativeLibrary.GetExport(Library, "baseline_" + name);

    private static nint Load([CallerFilePath] string thisFile = "")
    {
        string source = Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "native", "rle_baseline.c");
        string library = Path.Combine(Directory.CreateTempSubdirectory("rle-baseline-").FullName, "baseline.so");
        // No contraction to fused multiply-add: the answers are compared bit for bit.
        string[] arguments =
            ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-o", library, Path.GetFullPath(source), "-lm"];
        try
        {
            Compiler = Run("cc", ["--version"]).Split('\n')[0];
            Run("cc", arguments);
            return NativeLibrary.Load(library);
        }
        catch (Exception exception) when (exception is System.ComponentModel.Win32Exception or InvalidOperationException or DllNotFoundException)
        {
            Console.Error.WriteLine($"No C baseline: {exception.Message}");
            return 0;
        }
    }

    private static string Run(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string output = process.StandardOutput.ReadToEnd(), errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {errors}");
        return output;
    }
}
