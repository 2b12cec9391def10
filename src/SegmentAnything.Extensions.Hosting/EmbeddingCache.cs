using System.Diagnostics.CodeAnalysis;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>The embeddings that were used last, within so many bytes. Safe to use from several threads.</summary>
internal sealed class EmbeddingCache(long maxBytes) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = []; // the latest first
    private long _bytes;

    /// <summary>Bytes of all embeddings that are kept.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate) return _bytes;
        }
    }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _entries.Count;
        }
    }

    /// <summary>Lends an embedding out, which makes it the latest.</summary>
    public bool TryGet(string key, [NotNullWhen(true)] out EmbeddingLease? lease)
    {
        lock (_gate)
        {
            lease = null;
            if (!_entries.TryGetValue(key, out LinkedListNode<Entry>? node)) return false;
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            lease = node.Value.Lend();
            return true;
        }
    }

    /// <summary>Keeps an embedding, in place of one of the same key, drops what is too much, and lends it out.</summary>
    /// <param name="key">What it is known by.</param>
    /// <param name="embedding">Owned by the cache from now on. One that is larger than the cache is lent out and not kept.</param>
    /// <param name="dropped">How many were dropped to make room.</param>
    public EmbeddingLease Add(string key, ImageEmbedding embedding, out int dropped)
    {
        var entry = new Entry(key, embedding);
        lock (_gate)
        {
            dropped = 0;
            if (_entries.TryGetValue(key, out LinkedListNode<Entry>? old)) Drop(old);
            EmbeddingLease lease = entry.Lend();
            if (entry.Bytes > maxBytes)
            {
                entry.Release();
                return lease;
            }

            _entries.Add(key, _byUse.AddFirst(entry));
            _bytes += entry.Bytes;
            for (; _bytes > maxBytes; dropped++) Drop(_byUse.Last!);
            return lease;
        }
    }

    /// <summary>Drops an embedding.</summary>
    public bool Remove(string key)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out LinkedListNode<Entry>? node)) return false;
            Drop(node);
            return true;
        }
    }

    /// <summary>Drops everything. What is lent out stays valid.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            while (_byUse.Last is { } node) Drop(node);
        }
    }

    private void Drop(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _entries.Remove(node.Value.Key);
        _bytes -= node.Value.Bytes;
        node.Value.Release();
    }

    // Counts who holds the embedding, the cache included; the last disposes it.
    private sealed class Entry(string key, ImageEmbedding embedding)
    {
        private int _holders = 1;

        public string Key => key;

        public long Bytes { get; } = embedding.ByteCount;

        // Within the cache's lock, while the cache holds it.
        public EmbeddingLease Lend()
        {
            Interlocked.Increment(ref _holders);
            return new EmbeddingLease(embedding, Release);
        }

        public void Release()
        {
            if (Interlocked.Decrement(ref _holders) == 0) embedding.Dispose();
        }
    }
}
