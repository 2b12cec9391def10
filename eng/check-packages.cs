#:property PublishAot=false
// Checks that packages are fit for a public gallery, and prints name and version of each that is a library.
//   dotnet run eng/check-packages.cs -- FOLDER ROOT    (ROOT: the checkout they were built in, which none may name)
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Xml.Linq;

if (args is not [var folder, var root])
{
    Console.Error.WriteLine("usage: check-packages FOLDER ROOT");
    return 2;
}

int found = 0, wrong = 0;
foreach (string path in Directory.GetFiles(folder, "*.nupkg").Order(StringComparer.Ordinal))
{
    found++;
    using ZipArchive package = ZipFile.OpenRead(path);
    using Stream nuspec = package.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
    XElement metadata = XDocument.Load(nuspec).Root!.Elements().First();
    string? Value(string name) => metadata.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value;
    (string id, string version) = (Value("id")!, Value("version")!);
    void Need(bool holds, string what)
    {
        if (holds) return;
        wrong++;
        Console.Error.WriteLine($"error: {Path.GetFileName(path)}: {what}");
    }

    foreach (string name in (string[])["authors", "description", "tags", "license", "releaseNotes"])
        Need(!string.IsNullOrWhiteSpace(Value(name)), $"its nuspec has no {name}");
    Need(Value("description") != "Package Description", "its project has no Description");
    Need(Value("releaseNotes") is not { Length: > 35_000 }, $"its release notes have {Value("releaseNotes")?.Length} characters, more than the gallery's 35,000");

    ZipArchiveEntry? readme = package.GetEntry(Value("readme") ?? "README.md"), icon = package.GetEntry(Value("icon") ?? "icon.png");
    Need(Value("readme") is not null && readme is { Length: > 0 }, "it has no readme");
    if (readme is not null) Need(!ReadText(readme).Contains("](.", StringComparison.Ordinal), "its readme has links that lead out of the package");
    Need(Value("icon") is not null && icon is { Length: > 0 and < 1_000_000 }, "it has no icon of less than 1 MB");

    XElement[] types = [.. metadata.Descendants().Where(e => e.Name.LocalName == "packageType")];
    if (types.Length > 0) continue; // a tool: nothing that others compile against
    Console.WriteLine($"{id} {version}");
    string symbolsPath = Path.ChangeExtension(path, ".snupkg");
    using ZipArchive? symbols = File.Exists(symbolsPath) ? ZipFile.OpenRead(symbolsPath) : null;
    foreach (ZipArchiveEntry assembly in package.Entries.Where(e => e.FullName.StartsWith("lib/", StringComparison.Ordinal) && e.Name.EndsWith(".dll", StringComparison.Ordinal)))
    {
        Need(package.GetEntry(Path.ChangeExtension(assembly.FullName, ".xml")) is { Length: > 0 }, $"{assembly.Name} comes without its documentation");
        Need(!Contains(ReadBytes(assembly), root), $"{assembly.Name} names {root}");
        if (symbols?.GetEntry(Path.ChangeExtension(assembly.FullName, ".pdb")) is not { } entry)
        {
            Need(false, $"{assembly.Name} has no symbols in {Path.GetFileName(symbolsPath)}");
            continue;
        }

        byte[] pdb = ReadBytes(entry);
        Need(!Contains(pdb, root), $"the symbols of {assembly.Name} name {root}");
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbImage([.. pdb]);
        MetadataReader reader = provider.GetMetadataReader();
        string[] elsewhere = [.. reader.Documents.Select(d => reader.GetString(reader.GetDocument(d).Name)).Where(n => !n.StartsWith("/_", StringComparison.Ordinal))];
        Need(elsewhere.Length == 0, $"the symbols of {assembly.Name} have paths of one machine, such as {elsewhere.FirstOrDefault()}");
    }
}

if (found == 0) Console.Error.WriteLine($"error: there is no package in {folder}");
return found > 0 && wrong == 0 ? 0 : 1;

static string ReadText(ZipArchiveEntry entry) => Encoding.UTF8.GetString(ReadBytes(entry));

static byte[] ReadBytes(ZipArchiveEntry entry)
{
    using Stream stream = entry.Open();
    using var memory = new MemoryStream();
    stream.CopyTo(memory);
    return memory.ToArray();
}

static bool Contains(ReadOnlySpan<byte> bytes, string text) => bytes.IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
