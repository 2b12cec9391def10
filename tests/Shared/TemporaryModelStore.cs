using System.Runtime.CompilerServices;

namespace SegmentAnything.TestSupport;

/// <summary>
/// What tests build from checkpoints goes to a folder that is removed when they have ended, not to the user's model store;
/// the user's store is still searched. Where the variable is set already, its folder is used.
/// </summary>
internal static class TemporaryModelStore
{
    [ModuleInitializer]
    internal static void Use()
    {
        const string variable = "SEGMENTANYTHING_MODELS";
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable))) return;
        string folder = Directory.CreateTempSubdirectory("segment-anything-store-").FullName;
        Environment.SetEnvironmentVariable(variable, folder);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException)
            {
                // A file that is still mapped, on Windows: the system clears its temporary folder.
            }
        };
    }
}
