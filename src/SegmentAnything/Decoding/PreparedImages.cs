using System.Runtime.CompilerServices;
using SegmentAnything.Masks;

namespace SegmentAnything.Decoding;

/// <summary>
/// What a decoder has made of the images that it was prompted for, kept as long as it fits a budget: the image that was used
/// longest ago goes first. What was made of an embedding goes with the embedding.
/// </summary>
/// <param name="engine">Prepares images; it must outlive this.</param>
/// <param name="withoutMask">What stands at every position where there is no mask prompt.</param>
/// <param name="createUpscaler">Makes the way from low-resolution logits to masks of an image's size.</param>
/// <param name="budget">Bytes. Images in use are kept beyond it.</param>
/// <remarks>Safe to use from several threads. A hit allocates nothing.</remarks>
internal sealed class PreparedImages(
    IMaskDecoderEngine engine, float[] withoutMask, Func<ImageFrame, IMaskUpscaler> createUpscaler, long budget) : IDisposable
{
    private readonly Lock _lock = new();

    // Neither holds an embedding: one that nobody has any more is collected, and its entry dropped at the next occasion.
    private readonly ConditionalWeakTable<ImageEmbedding, Entry> _entries = [];
    private readonly LinkedList<Entry> _byUse = [];
    private long _bytes;

    // The memory of the last image: all of a model have the same.
    private long _bytesOfOne;

    /// <summary>The memory of all that is kept now.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock) return _bytes;
        }
    }

    /// <summary>Would an image stay when nobody uses it? Until the first was prepared, any budget seems enough for it.</summary>
    public bool CanKeep
    {
        get
        {
            lock (_lock) return budget > 0 && budget >= _bytesOfOne;
        }
    }

    /// <summary>What was made of an image, or is made now. Call it while holding a use of the embedding.</summary>
    public Use Get(ImageEmbedding embedding, CancellationToken cancellationToken)
    {
        Entry entry = Enter(embedding);
        try
        {
            // One thread prepares, the others wait for it.
            lock (entry)
            {
                if (entry.Image is null)
                {
                    entry.Image = engine.Prepare(embedding.AllValues, withoutMask, null, cancellationToken);
                    lock (_lock)
                    {
                        _bytesOfOne = entry.Image.Bytes;
                        _bytes += _bytesOfOne;
                        DropUnused(down: budget);
                    }
                }
            }

            return new Use(this, entry);
        }
        catch
        {
            Leave(entry);
            throw;
        }
    }

    /// <summary>The way from low-resolution logits to masks of the image's size.</summary>
    public IMaskUpscaler UpscalerOf(ImageEmbedding embedding)
    {
        Entry entry = Enter(embedding);
        Leave(entry);
        return entry.Upscaler;
    }

    /// <summary>Frees everything. No use may be under way.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            while (_byUse.First is { } first) Drop(first.Value);
        }
    }

    private Entry Enter(ImageEmbedding embedding)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(embedding, out Entry? entry))
            {
                _byUse.Remove(entry.Node);
            }
            else
            {
                entry = new Entry(this, embedding, createUpscaler(embedding.Frame));
                _entries.Add(embedding, entry);
                embedding.Released += entry.OnReleased;
            }

            _byUse.AddLast(entry.Node);
            entry.Uses++;
            return entry;
        }
    }

    private void Leave(Entry entry)
    {
        lock (_lock)
        {
            entry.Uses--;
            DropUnused(down: budget);
        }
    }

    private void DropUnused(long down)
    {
        for (LinkedListNode<Entry>? node = _byUse.First; node is not null;)
        {
            Entry entry = node.Value;
            node = node.Next;
            if (entry.Uses == 0 && (_bytes > down || !entry.Embedding.TryGetTarget(out _))) Drop(entry);
        }
    }

    private void Drop(Entry entry)
    {
        if (entry.IsDropped) return;
        entry.IsDropped = true;
        _byUse.Remove(entry.Node);
        if (entry.Embedding.TryGetTarget(out ImageEmbedding? embedding))
        {
            _entries.Remove(embedding);
            embedding.Released -= entry.OnReleased;
        }

        if (entry.Image is null) return;
        _bytes -= entry.Image.Bytes;
        entry.Image.Dispose();
    }

    /// <summary>Keeps a prepared image until it is disposed.</summary>
    internal readonly struct Use(PreparedImages owner, Entry entry) : IDisposable
    {
        public IPreparedImage Image => entry.Image!;

        public IMaskUpscaler Upscaler => entry.Upscaler;

        public void Dispose() => owner.Leave(entry);
    }

    /// <summary>One image.</summary>
    internal sealed class Entry
    {
        public Entry(PreparedImages owner, ImageEmbedding embedding, IMaskUpscaler upscaler)
        {
            Embedding = new WeakReference<ImageEmbedding>(embedding);
            Upscaler = upscaler;
            Node = new LinkedListNode<Entry>(this);
            OnReleased = new Releasing(owner, this).Release;
        }

        public WeakReference<ImageEmbedding> Embedding { get; }

        public IMaskUpscaler Upscaler { get; }

        public LinkedListNode<Entry> Node { get; }

        public Action OnReleased { get; }

        public IPreparedImage? Image { get; set; }

        public int Uses { get; set; }

        public bool IsDropped { get; set; }
    }

    // What an embedding knows of those that were prompted with it: nothing that keeps a model in memory which nobody has any more.
    private sealed class Releasing(PreparedImages owner, Entry entry)
    {
        private readonly WeakReference<PreparedImages> _owner = new(owner);
        private readonly WeakReference<Entry> _entry = new(entry);

        public void Release()
        {
            if (!_owner.TryGetTarget(out PreparedImages? owner) || !_entry.TryGetTarget(out Entry? entry)) return;
            lock (owner._lock) owner.Drop(entry);
        }
    }
}
