using System.CommandLine;
using System.Globalization;

namespace SegmentAnything.Cli;

/// <summary>The options <c>--model</c>, <c>--spec</c> and <c>--provider</c>, alike in every command that runs a model.</summary>
internal sealed class ModelOptions
{
    /// <summary>The most threads that <see cref="CpuProvider"/> takes.</summary>
    private const int MaxThreads = 1024;

    private readonly Option<string[]> _model;

    private readonly Option<string[]> _provider = new("--provider")
    {
        Description = "What computes: cpu[:THREADS] (our own kernels, and ONNX Runtime for what they do not have), onnx-cpu[:THREADS] (ONNX Runtime alone), "
            + "cuda[:DEVICE], directml[:DEVICE], coreml, or a name that ONNX Runtime knows. Given several times: the first that works.",
        HelpName = "NAME",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => ["cpu"],
    };

    private readonly SpecificationOption _specification = new();

    /// <param name="several">Whether <c>--model</c> may be given several times, for a comparison.</param>
    public ModelOptions(bool several = false) => _model = new("--model")
    {
        Description = $"The model: {string.Join(", ", SamModels.All.Select(v => v.Name))}, a folder that holds the files of one, or a checkpoint."
            + (several ? " Given several times: models to be compared." : ""),
        HelpName = "NAME|FOLDER|FILE",
        Arity = several ? ArgumentArity.OneOrMore : ArgumentArity.ExactlyOne,
        CustomParser = result => [.. result.Tokens.Select(token => token.Value)], // a list of exactly one is not parsed otherwise
        DefaultValueFactory = _ => [SamModels.MobileSam.Name],
    };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_model);
        _specification.AddTo(command);
        command.Options.Add(_provider);
    }

    /// <summary>Loads the model that the command line names; a published one is downloaded first where it is missing.</summary>
    /// <exception cref="UsageException">A provider is malformed.</exception>
    /// <exception cref="ModelNotFoundException">There is neither a model of that name nor such a folder, or its files cannot be had.</exception>
    public SamModel Load(ParseResult parsed, Progress progress, CancellationToken cancellation) => Load(NameOf(parsed), parsed, progress, cancellation);

    /// <summary>Loads one of the models that the command line names.</summary>
    /// <inheritdoc cref="Load(ParseResult, Progress, CancellationToken)"/>
    public SamModel Load(string model, ParseResult parsed, Progress progress, CancellationToken cancellation)
    {
        SamOptions options = ReadOptions(parsed);
        if (!Path.Exists(model) && SamModels.Find(model) is { } published)
        {
            foreach (string problem in Changed(published)) progress.Say($"{problem}; it is fetched again.");
            // The commands are synchronous, and nothing here waits for the thread that waits.
            ModelStore.Default.GetAsync(published, progress: new DownloadReporter(progress), cancellationToken: cancellation).GetAwaiter().GetResult();
        }

        SamModel sam = progress.Run($"Loading {model}", () => SamModel.Load(model, options with { Notices = new Notices(progress) }, cancellation));

        // What loading leaves behind is several times what stays, and the process is most of its memory's user: it goes back
        // to the system before the picture needs more.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return sam;
    }

    /// <summary>The files of the model that the command line names, so that nothing is written over them.</summary>
    public OutputFiles NoteInputs(ParseResult parsed, OutputFiles files)
    {
        foreach (string model in NamesOf(parsed).Where(Path.Exists)) files.Reads(model, $"the model {model}");
        return files;
    }

    /// <summary>What <c>--model</c> says.</summary>
    public string NameOf(ParseResult parsed) => parsed.GetRequiredValue(_model)[0];

    /// <summary>What <c>--model</c> says, each model once.</summary>
    public IReadOnlyList<string> NamesOf(ParseResult parsed) => [.. parsed.GetRequiredValue(_model).Distinct(StringComparer.Ordinal)];

    /// <summary>The options for a model, from <c>--provider</c> and <c>--spec</c>.</summary>
    /// <exception cref="UsageException">A provider is malformed.</exception>
    /// <exception cref="FormatException">The specification is malformed.</exception>
    public SamOptions ReadOptions(ParseResult parsed) => SamOptions.Default with
    {
        Execution = ExecutionOptions.For([.. parsed.GetRequiredValue(_provider).Select(ParseProvider)]),
        Specification = _specification.Read(parsed),
    };

    // Files that are there, and are not what was published.
    private static IEnumerable<string> Changed(SamVariant variant)
    {
        if (ModelStore.Default.TryFind(variant, out _)) return [];
        try
        {
            ModelStore.Default.Find(variant);
            return [];
        }
        catch (ModelNotFoundException e)
        {
            return e.Tried.Where(problem => problem.Contains("SHA-256", StringComparison.Ordinal));
        }
    }

    // At once, on the thread that tells: Progress of .NET would tell when the command has ended.
    private sealed class Notices(Progress progress) : IProgress<string>
    {
        public void Report(string value) => progress.Say(value);
    }

    internal static ExecutionProvider ParseProvider(string text)
    {
        string name = text, setting = "";
        if (text.IndexOf(':') is >= 0 and var colon) (name, setting) = (text[..colon], text[(colon + 1)..]);
        return name.ToUpperInvariant() switch
        {
            "CPU" => new CpuProvider(Threads()),
            "ONNX-CPU" => new OnnxCpuProvider(Threads()),
            "CUDA" => new CudaProvider(Number()),
            "DIRECTML" or "DML" => new DirectMLProvider(Number()),
            "COREML" => setting.Length == 0 ? new CoreMLProvider() : new CoreMLProvider(setting),
            "" => throw new UsageException($"--provider '{text}': give a name, such as cpu or cuda."),
            _ => new NamedProvider(name),
        };

        int Threads()
        {
            int threads = Number();
            return threads <= MaxThreads
                ? threads
                : throw new UsageException($"--provider '{text}': {threads} threads are too many; give {MaxThreads} at most, or {name} alone for all cores.");
        }

        int Number()
        {
            if (setting.Length == 0) return 0;
            return int.TryParse(setting, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                ? number
                : throw new UsageException($"--provider '{text}': '{setting}' is not a whole number; give {(name.Equals("cpu", StringComparison.OrdinalIgnoreCase) ? $"threads, 1 to {MaxThreads}" : "the number of a device, from 0")}.");
        }
    }
}
