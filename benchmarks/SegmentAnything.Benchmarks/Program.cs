using BenchmarkDotNet.Running;
using SegmentAnything.Benchmarks;
using SegmentAnything.Benchmarks.Comparison;
using SegmentAnything.Benchmarks.Decoding;
using SegmentAnything.Benchmarks.Evaluation;
using SegmentAnything.Benchmarks.Graphs;
using SegmentAnything.Benchmarks.Kernels;
using SegmentAnything.Benchmarks.Pipeline;
using SegmentAnything.Benchmarks.Rle;

// rle-ratios [part of a name]: the quick comparison with C. Everything else is BenchmarkDotNet's.
if (args is ["rle-ratios", ..]) return RleRatios.Run(args.Length > 1 ? args[1] : "");

// stock-ratios [rounds]: the library against the published ONNX files in one process.
if (args is ["stock-ratios", ..]) return StockRatios.Run(args.Length > 1 ? int.Parse(args[1]) : 9);

// grid-ratios [--side 32] [--rounds 5] [--image FILE]: the whole automatic grid against a loop over those files.
if (args is ["grid-ratios", ..]) return GridRatios.Run(args[1..]);

// family-ratios [rounds] [cpu] [--most MB] [NAME...]: every published model beside MobileSAM, encoding and a click.
if (args is ["family-ratios", ..]) return FamilyRatios.Run(args[1..]);

// load-times [NAME...]: loading a checkpoint the first time and again, time and memory; load-times published [rounds]: MobileSAM's files.
if (args is ["load-times", ..]) return LoadTimes.Run(args[1..]);

// prompt-fractions FILE...: what a part of the grid's prompts finds again.
if (args is ["prompt-fractions", ..]) return PromptFractions.Run(args[1..]);

// decoder-peak [rounds]: the tiled mask decoder beside the processor's peak.
if (args is ["decoder-peak", ..]) return DecoderPeak.Run(args.Length > 1 ? int.Parse(args[1]) : 10);

// encoder-peak [vit-B] [sam2-tiny] ... [rounds] [cpu]: an image encoder in our own kernels (MobileSAM's), phase by phase, beside the processor's peak.
if (args is ["encoder-peak", ..]) return EncoderPeak.Run(args[1..]);

// vit-build [B] [L] [H]: from checkpoints of random weights to loaded encoders, time and memory.
if (args is ["vit-build", ..]) return VitBuild.Run(args[1..]);

// vit-encode [B] [L] [H] [rounds] [cpu]: SAM's ViT encoders in our own kernels beside our graph and the official operators.
if (args is ["vit-encode", ..]) return VitEncode.Run(args[1..]);

// relatives-encode [rounds] [cpu] [profile]: the image encoders of EfficientViT-SAM L0 and EfficientSAM-Ti beside the official operators.
if (args is ["relatives-encode", ..]) return RelativesEncode.Run(args[1..]);

// sam2-encode [tiny] [small] [base_plus] [large] [rounds] [cpu]: SAM 2's image encoder beside the official operators.
if (args is ["sam2-encode", ..]) return Sam2Encode.Run(args[1..]);

// first-click [rounds] [cpu]: the first click on a new image beside later ones.
if (args is ["first-click", ..]) return FirstClick.Run(args[1..]);

// sam2-decode, hq-decode [rounds] [cpu]: the mask decoder of SAM 2 or HQ-SAM beside the official operators.
if (args is ["sam2-decode", ..]) return FamilyDecode.Run("sam2", args[1..]);
if (args is ["hq-decode", ..]) return FamilyDecode.Run("hq", args[1..]);

// encoder-ratios [rounds] [pictures]: the image encoder in float32 and int8 beside the published file, with errors.
if (args is ["encoder-ratios", ..]) return EncoderRatios.Run(args.Length > 1 ? int.Parse(args[1]) : 25, [.. args.Skip(2)]);

// mask-prompts [--model NAME] [--every N] FILE...: which logits make the best prompt of a binary mask.
if (args is ["mask-prompts", ..]) return MaskPrompts.Run(args[1..]);

// cold-start [rounds NAME=TOOL...]: from the start of a process to the first mask, of each form of the tool.
if (args is ["cold-start", ..]) return ColdStart.Run(args[1..]);

// evaluation-speed [images] [pictures]: average precision beside the official Python API, and edge scores.
if (args is ["evaluation-speed", ..]) return EvaluationSpeed.Run(args[1..]);

BenchmarkSwitcher.FromAssembly(typeof(BenchmarkSettings).Assembly).Run(args, new BenchmarkSettings());
return 0;
