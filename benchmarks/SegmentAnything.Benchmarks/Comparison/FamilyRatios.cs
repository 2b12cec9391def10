using System.Globalization;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// Every published model beside MobileSAM, in one process and in turns: encoding an image, and a click. Weights are random,
/// of the published names and shapes, MobileSAM's too: nothing has to be downloaded, and like is compared with like.
/// </summary>
/// <remarks>
/// The image is small, since masks of random weights have more runs than those of trained ones: so hardly anything but the
/// networks is measured, whose work does not depend on the image.
/// </remarks>
internal static class FamilyRatios
{
    private const int Side = 128, Clicks = 20;

    // Megabytes of a checkpoint beyond which one round has to do.
    private const int ManyRounds = 500;

    /// <summary>Measures, and writes a table to the console and to the results.</summary>
    /// <param name="args">
    /// <c>cpu</c> for one thread's processor time, a number of rounds (3), <c>--most MB</c> for the largest checkpoint (500): larger ones are
    /// skipped, and the table says so; names of models, whose rows alone are measured and take their place in the table that is there; all
    /// without any. The smallest is the first.
    /// </param>
    public static int Run(string[] args)
    {
        int at = Array.IndexOf(args, "--most");
        double most = at >= 0 ? double.Parse(args[at + 1], CultureInfo.InvariantCulture) : 500;
        string[] rest = at >= 0 ? [.. args[..at], .. args[(at + 2)..]] : args;
        WorkTime clock = new(rest.Contains("cpu"));
        int rounds = rest.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 3);
        string[] names = [.. rest.Where(a => a != "cpu" && !int.TryParse(a, out _))];
        if (names.Except(SamModels.All.Select(v => v.Name)).FirstOrDefault() is { } unknown) throw new ArgumentException($"There is no model '{unknown}'.");
        ResultPage table = new("FamilyRatios");
        Dictionary<string, string> rows = names.Length == 0 ? [] : table.ReadRows();
        using RandomModel mobile = RandomModel.Load(SamModels.MobileSam, clock);
        foreach (SamVariant variant in SamModels.All.Where(v => names.Length == 0 || names.Contains(v.Name)).OrderBy(RandomModel.MegabytesOf))
        {
            double megabytes = RandomModel.MegabytesOf(variant);
            if (megabytes > most)
            {
                rows[variant.Name] = string.Create(CultureInfo.InvariantCulture, $"| `{variant.Name}` | {megabytes:F0} MB | – | – | – | – |");
            }
            else
            {
                using RandomModel? loaded = variant.Name == SamModels.MobileSam.Name ? null : RandomModel.Load(variant, clock);
                rows[variant.Name] = Measure(variant, megabytes, mobile.Sam, (loaded ?? mobile).Sam, megabytes > ManyRounds ? 1 : rounds, clock);
            }

            Console.WriteLine(rows[variant.Name]);
            // Row by row: what was measured is kept where a model does not fit in the memory.
            Save();
        }

        return 0;

        void Save()
        {
            table.Clear();
            table.Note($"{ResultPage.Machine}; random weights of the published names and shapes; an image of {Side}x{Side}; "
                + $"medians of {rounds} rounds in turns with MobileSAM, of one where the checkpoint has more than {ManyRounds} MB: {clock.Name}. "
                + $"A click is one of {Clicks}, after the first of its image. –: not measured.");
            table.Note("");
            table.Note("| model | checkpoint | encode | of MobileSAM | click | of MobileSAM |");
            table.Note("|---|---:|---:|---:|---:|---:|");
            foreach (SamVariant variant in SamModels.All.Where(v => rows.ContainsKey(v.Name)).OrderBy(RandomModel.MegabytesOf)) table.Note(rows[variant.Name]);
            table.Save();
        }
    }

    private static string Measure(SamVariant variant, double megabytes, SamModel mobile, SamModel sam, int rounds, WorkTime clock)
    {
        byte[] pixels = new byte[Side * Side];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)((i % Side) + (i / Side));
        PixelBuffer picture = PixelBuffer.FromGray8(pixels, Side, Side);
        Prompt click = Prompt.Point(Side / 2, Side / 2);
        using ImageEmbedding known = mobile.Encode(picture), own = sam.Encode(picture);
        Action[] works =
        [
            () => mobile.Encode(picture).Dispose(), () => sam.Encode(picture).Dispose(),
            () => Click(mobile, known), () => Click(sam, own),
        ];
        Click(mobile, known);
        Click(sam, own);
        double[][] times = [.. works.Select(_ => new double[rounds])];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < works.Length; i++) times[i][round] = clock.Measure(works[i]);
        }

        double[] medians = [.. times.Select(t => t.Order().ElementAt(rounds / 2))];
        return string.Create(CultureInfo.InvariantCulture,
            $"| `{variant.Name}` | {megabytes:F0} MB | {medians[1] * 1e3:F0} ms | {medians[1] / medians[0]:F1}x | {medians[3] * 1e3 / Clicks:F1} ms | {medians[3] / medians[2]:F1}x |");

        void Click(SamModel model, ImageEmbedding embedding)
        {
            for (int i = 0; i < Clicks; i++) model.Predict(embedding, click).Dispose();
        }
    }
}
