namespace SegmentAnything.Rle;

/// <summary>COCO's two ways of writing a mask in JSON.</summary>
public enum CocoForm
{
    /// <summary>"counts" is the compressed text.</summary>
    Compressed,

    /// <summary>"counts" is the list of run lengths.</summary>
    Uncompressed,
}
