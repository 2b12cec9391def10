using System.CommandLine;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>verify [MODEL|FILE...]</c>: reads every byte of models, of which the other commands read a sample.</summary>
internal static class VerifyCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string[]> names = new("MODEL")
        {
            Description = "Names of models, checkpoints, ONNX files, or folders of such; without any, every model of the model store, and what was built of checkpoints.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("verify", "Reads models wholly: hashes where they are known, and every weight a finite number.") { names };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetValue(names) ?? [], parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, cancellation)));
        return command;
    }

    private static int Run(string[] names, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        int status = Tool.Success;
        foreach (FileVerification file in names.Length == 0 ? ModelVerifier.VerifyStore(ModelStore.Default, cancellation) : names.SelectMany(name => Verify(name, cancellation)))
        {
            if (file.Problem is { } problem)
            {
                status = Tool.Failure;
                error.WriteLine($"error: {PrintableWriter.Show(file.Path)}: {PrintableWriter.Show(problem)}");
            }
            else
            {
                output.WriteLine($"{PrintableWriter.Show(file.Path)}: {(file.IsPublished ? "as published" : "whole, every weight finite")}, SHA-256 {file.Sha256}");
            }
        }

        return status;
    }

    private static IEnumerable<FileVerification> Verify(string name, CancellationToken cancellation)
    {
        if (Directory.Exists(name))
            return Directory.EnumerateFiles(name).Order(StringComparer.Ordinal).Where(ModelVerifier.IsModelFile).Select(file => ModelVerifier.Verify(file, cancellation));
        if (!Path.Exists(name) && SamModels.Find(name) is { } variant) return ModelVerifier.Verify(variant, ModelStore.Default, cancellation);
        return [ModelVerifier.Verify(name, cancellation)];
    }
}
