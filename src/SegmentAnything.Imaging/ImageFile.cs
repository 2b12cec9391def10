namespace SegmentAnything.Imaging;

/// <summary>Reads and writes image files.</summary>
public static class ImageFile;
