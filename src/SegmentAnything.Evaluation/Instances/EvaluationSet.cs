namespace SegmentAnything.Evaluation;

/// <summary>Images, categories and what people annotated in them: one side of every comparison of instances.</summary>
/// <remarks>Immutable; may be shared between threads. Images and categories are in the order of their numbers.</remarks>
public sealed class EvaluationSet
{
    private readonly Dictionary<long, int> _imageIndex = [];
    private readonly Dictionary<long, int> _categoryIndex = [];

    /// <summary>Gathers a set.</summary>
    /// <param name="images">The images, each with a number of its own.</param>
    /// <param name="categories">The categories, each with a number of its own.</param>
    /// <param name="groundTruths">The objects. Their order counts where two match a detection equally well.</param>
    /// <exception cref="ArgumentException">
    /// There is no image or no category; a number occurs twice; an object names an image or a category that is not there, has
    /// a mask of another size than its image, or an area or a box that is not a number.
    /// </exception>
    public EvaluationSet(
        IEnumerable<EvaluationImage> images, IEnumerable<EvaluationCategory> categories, IEnumerable<GroundTruth> groundTruths)
    {
        ArgumentNullException.ThrowIfNull(images);
        ArgumentNullException.ThrowIfNull(categories);
        ArgumentNullException.ThrowIfNull(groundTruths);
        Images = [.. images.OrderBy(image => image.Id)];
        Categories = [.. categories.OrderBy(category => category.Id)];
        GroundTruths = [.. groundTruths];
        if (Images.Count == 0) throw new ArgumentException("The set has no image, so there is nothing to evaluate.", nameof(images));
        if (Categories.Count == 0)
            throw new ArgumentException("The set has no category. Give one, such as (1, \"object\"), when all objects are of one kind.", nameof(categories));

        for (int i = 0; i < Images.Count; i++)
        {
            if (!_imageIndex.TryAdd(Images[i].Id, i))
                throw new ArgumentException($"Two images have the number {Images[i].Id}.", nameof(images));
        }

        for (int i = 0; i < Categories.Count; i++)
        {
            if (_categoryIndex.TryAdd(Categories[i].Id, i)) continue;
            throw new ArgumentException(
                $"Two categories have the number {Categories[i].Id}: '{Categories[i - 1].Name}' and '{Categories[i].Name}'.",
                nameof(categories));
        }

        var ids = new HashSet<long>();
        foreach (GroundTruth truth in GroundTruths)
        {
            if (!ids.Add(truth.Id)) throw new ArgumentException($"Two annotations have the number {truth.Id}.", nameof(groundTruths));
            Check(truth);
        }
    }

    /// <summary>The images, by number.</summary>
    public IReadOnlyList<EvaluationImage> Images { get; }

    /// <summary>The categories, by number.</summary>
    public IReadOnlyList<EvaluationCategory> Categories { get; }

    /// <summary>The objects, in the order given.</summary>
    public IReadOnlyList<GroundTruth> GroundTruths { get; }

    internal int IndexOfImage(long id) => _imageIndex.GetValueOrDefault(id, -1);

    internal int IndexOfCategory(long id) => _categoryIndex.GetValueOrDefault(id, -1);

    private void Check(GroundTruth truth)
    {
        int image = IndexOfImage(truth.ImageId);
        if (image < 0) throw Wrong(truth, $"is in image {truth.ImageId}, which the set has not");
        if (IndexOfCategory(truth.CategoryId) < 0) throw Wrong(truth, $"is of category {truth.CategoryId}, which the set has not");
        EvaluationImage size = Images[image];
        if (truth.Mask is { } mask && (mask.Width != size.Width || mask.Height != size.Height))
            throw Wrong(truth, $"has a mask of {mask.Width}x{mask.Height} pixels, but image {size.Id} is {size.Width}x{size.Height}");
        if (truth.Mask is null && truth.Box is null) throw Wrong(truth, "has neither a mask nor a box");
        if (!double.IsFinite(truth.ComparedArea) || !truth.ComparedBox.IsUsable)
            throw Wrong(truth, $"has the area {truth.ComparedArea} and the box {truth.ComparedBox}; numbers of 0 or more are expected");
    }

    private static ArgumentException Wrong(GroundTruth truth, string what) =>
        new($"Annotation {truth.Id} {what}.");
}
