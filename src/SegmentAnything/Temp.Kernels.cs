#pragma warning disable
using SegmentAnything.Rle;
// Stands in until the real types land; whoever brings those deletes this file.
namespace SegmentAnything.Geometry {
internal readonly struct LongestSideTransform(ImageSize source, int modelSize) {
  public ImageSize ModelSize { get { double s = modelSize * 1.0 / Math.Max(source.Width, source.Height); return new((int)(source.Width*s+0.5), (int)(source.Height*s+0.5)); } }
  public (float, float) ToModel(double x, double y) { var m = ModelSize; return ((float)(x * ((double)m.Width/source.Width)), (float)(y * ((double)m.Height/source.Height))); }
}}
namespace SegmentAnything.Kernels {
internal static class ImageKernels { public static void Preprocess(PixelBuffer b, int s, ReadOnlySpan<float> m, ReadOnlySpan<float> d, Span<float> o) { o.Clear(); } }
internal record struct MaskMeasurement(RleMask Mask, float StabilityScore);
internal sealed class MaskUpscaler(ImageSize input, ImageSize output, int low, int model) { 
 public MaskMeasurement Measure(ReadOnlySpan<float> l, float c, float o) {
  float[] full = Resize(Resize(l, 0, low, low, low, model, model).AsSpan(), 0, model, input.Width, input.Height, output.Width, output.Height);
  long hi=0, lo=0; foreach (float v in full) { if (v > c+o) hi++; if (v > c-o) lo++; }
  return new(RleMask.FromLogits(full, output.Width, output.Height, c), (float)hi/lo); }
 static float[] Resize(ReadOnlySpan<float> s, int _, int stride, int w, int h, int ow, int oh) {
  float[] r = new float[ow*oh]; float sx=(float)w/ow, sy=(float)h/oh;
  for (int y=0;y<oh;y++) { float fy=Math.Max(0,(y+0.5f)*sy-0.5f); int y0=(int)fy; int y1=Math.Min(y0+1,h-1); float ly=fy-y0;
   for (int x=0;x<ow;x++) { float fx=Math.Max(0,(x+0.5f)*sx-0.5f); int x0=(int)fx; int x1=Math.Min(x0+1,w-1); float lx=fx-x0;
    r[y*ow+x]=(1-ly)*((1-lx)*s[y0*stride+x0]+lx*s[y0*stride+x1])+ly*((1-lx)*s[y1*stride+x0]+lx*s[y1*stride+x1]); } } return r; }
}}
