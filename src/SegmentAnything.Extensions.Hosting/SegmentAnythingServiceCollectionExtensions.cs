using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using SegmentAnything;
using SegmentAnything.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Segment Anything for applications with dependency injection.</summary>
public static class SegmentAnythingServiceCollectionExtensions
{
    /// <summary>
    /// Adds a model as <see cref="ISegmenter"/>, and <see cref="ISegmentationService"/> with a bounded queue and a bounded cache in
    /// front of it; the model is loaded and warm before the host has started.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">What to load, and how much of the machine it may take; see <see cref="SegmentAnythingOptions"/>.</param>
    /// <returns>The same collection.</returns>
    /// <remarks>
    /// All are singletons; the container disposes the model. An <see cref="ISegmenter"/> or <see cref="ISegmentationService"/> that
    /// was added before, such as a fake, is left as it is, and one that is added afterwards wins. What the options lack is said
    /// when the host starts. Safe for trimming and native AOT.
    /// <code>
    /// builder.Services.AddSegmentAnything(options => options.MaxCacheBytes = 1L &lt;&lt; 30);
    /// </code>
    /// </remarks>
    public static IServiceCollection AddSegmentAnything(this IServiceCollection services, Action<SegmentAnythingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        OptionsBuilder<SegmentAnythingOptions> options = services.AddOptions<SegmentAnythingOptions>();
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SegmentAnythingOptions>, Validator>());
        services.AddMetrics();
        services.AddLogging();
        services.TryAddSingleton<SegmenterLoader>();
        services.TryAddSingleton(provider => provider.GetRequiredService<SegmenterLoader>().Load());
        services.TryAddSingleton<ISegmentationService, SegmentationService>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, WarmUpService>());
        return services;
    }

    private sealed class Validator : IValidateOptions<SegmentAnythingOptions>
    {
        public ValidateOptionsResult Validate(string? name, SegmentAnythingOptions options) =>
            options.Problems().ToList() is { Count: > 0 } problems ? ValidateOptionsResult.Fail(problems) : ValidateOptionsResult.Success;
    }
}
