namespace SegmentAnything.Extensions.Hosting;

/// <summary>An embedding that stays valid until this is disposed, also when the cache drops it meanwhile.</summary>
public sealed class EmbeddingLease : IDisposable
{
    private Action? _release;

    /// <summary>Lends an embedding out.</summary>
    /// <param name="embedding">The embedding.</param>
    /// <param name="release">Called once, when the lease is disposed; null where nothing is to be done.</param>
    public EmbeddingLease(ImageEmbedding embedding, Action? release = null)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        Embedding = embedding;
        _release = release;
    }

    /// <summary>The embedding. It is the lender's: dispose the lease, not the embedding.</summary>
    public ImageEmbedding Embedding { get; }

    /// <summary>Gives the embedding back. Safe to call twice.</summary>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
