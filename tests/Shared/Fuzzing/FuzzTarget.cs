namespace SegmentAnything.TestSupport.Fuzzing;

/// <summary>One reader of files from elsewhere, behind one entry that any driver can call.</summary>
/// <param name="Name">What it is called in messages and in the names of the files that are kept.</param>
/// <param name="Seeds">Small files that are in order; damaged ones are made of them. Generated, so that the repository holds none.</param>
/// <param name="Read">Reads a file, and whatever it gives.</param>
/// <param name="IsDocumented">Whether an exception is one that the documentation names for a file that is not in order.</param>
internal sealed record FuzzTarget(string Name, Func<IReadOnlyList<byte[]>> Seeds, Action<byte[]> Read, Func<Exception, bool> IsDocumented)
{
    /// <summary>How files are damaged, where bytes at random would not come far.</summary>
    public Func<byte[], Random, byte[]> Mutate { get; init; } = static (file, random) => Mutator.Mutate(file, random);

    /// <summary>Managed bytes that one file may have allocated, beside so many times its own length.</summary>
    public long AllocationLimit { get; init; } = 64 << 20;

    /// <summary>How long one file may take.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromSeconds(20);
}
