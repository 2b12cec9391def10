using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace SegmentAnything.Tests;

/// <summary>Writes down what an assembly shows to those who use it: one line a type, one line a member, in a fixed order.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext Nullability = new();

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(sbyte)] = "sbyte",
        [typeof(short)] = "short",
        [typeof(ushort)] = "ushort",
        [typeof(int)] = "int",
        [typeof(uint)] = "uint",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
        [typeof(char)] = "char",
        [typeof(string)] = "string",
        [typeof(object)] = "object",
        [typeof(decimal)] = "decimal",
    };

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append($"{type.Namespace}.{Describe(type)}\n");
            foreach (string member in Members(type).Order(StringComparer.Ordinal)) text.Append($"    {member}\n");
        }

        return text.ToString();
    }

    private static string Describe(Type type)
    {
        string kind = type.IsEnum ? "enum"
            : type.IsInterface ? "interface"
            : type.IsValueType ? (IsReadOnly(type) ? "readonly " : "") + (type.IsByRefLike ? "ref " : "") + (IsRecord(type) ? "record " : "") + "struct"
            : (type.IsAbstract && type.IsSealed ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "") + (IsRecord(type) ? "record" : "class");
        IEnumerable<Type> bases = type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? []);
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(Enum)) bases = bases.Prepend(parent);

        // A base of a base, and what every record and enum has, says nothing.
        string[] names = type.IsEnum ? [] : [.. bases
            .Where(b => !(b.IsGenericType && b.GetGenericTypeDefinition() == typeof(IEquatable<>)) && b.IsVisible)
            .Select(b => Name(b)).Order(StringComparer.Ordinal)];
        return $"{Name(type)} : {string.Join(", ", names.Prepend(kind))}";
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            foreach (FieldInfo value in type.GetFields(BindingFlags.Public | BindingFlags.Static))
                yield return string.Create(CultureInfo.InvariantCulture, $"{value.Name} = {Convert.ToInt64(value.GetRawConstantValue(), CultureInfo.InvariantCulture)}");
            yield break;
        }

        foreach (FieldInfo field in type.GetFields(Declared).Where(f => f.IsPublic || f.IsFamily))
        {
            string what = field.IsLiteral ? "const " : (field.IsStatic ? "static " : "") + (field.IsInitOnly ? "readonly " : "");
            string constant = field.IsLiteral ? $" = {Literal(field.GetRawConstantValue())}" : "";
            yield return $"{what}{Name(field.FieldType, Nullability.Create(field))} {field.Name}{constant}";
        }

        foreach (PropertyInfo property in type.GetProperties(Declared))
        {
            MethodInfo? get = Visible(property.GetMethod), set = Visible(property.SetMethod);
            if ((get ?? set) is not { } accessor || property.Name == "EqualityContract") continue;
            bool isInit = set?.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) == true;
            bool isRequired = property.IsDefined(typeof(RequiredMemberAttribute));
            string accessors = (get is null ? "" : "get; ") + (set is null ? "" : isInit ? "init; " : "set; ");
            ParameterInfo[] index = property.GetIndexParameters();
            string name = index.Length == 0 ? property.Name : $"this[{Parameters(index)}]";
            yield return $"{Modifiers(accessor)}{(isRequired ? "required " : "")}{Name(property.PropertyType, Nullability.Create(property))} {name} {{ {accessors}}}";
        }

        foreach (EventInfo member in type.GetEvents(Declared).Where(e => Visible(e.AddMethod) is not null))
            yield return $"event {Name(member.EventHandlerType!)} {member.Name}";

        foreach (ConstructorInfo constructor in type.GetConstructors(Declared).Where(c => Visible(c) is not null && !IsGenerated(c)))
        {
            if (type.IsAbstract && type.IsSealed) continue;
            yield return $"{Modifiers(constructor)}{type.Name.Split('`')[0]}({Parameters(constructor.GetParameters())})";
        }

        foreach (MethodInfo method in type.GetMethods(Declared).Where(m => Visible(m) is not null && !IsGenerated(m) && !IsAccessor(m)))
        {
            string generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "";
            string extension = method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "";
            yield return $"{Modifiers(method)}{Name(method.ReturnType, Nullability.Create(method.ReturnParameter))} {method.Name}{generic}({extension}{Parameters(method.GetParameters())})";
        }
    }

    private static string Parameters(ParameterInfo[] parameters) => string.Join(", ", parameters.Select(p =>
    {
        string passing = p.IsOut ? "out " : p.ParameterType.IsByRef ? (p.IsIn ? "in " : "ref ") : "";
        bool isParams = p.IsDefined(typeof(ParamArrayAttribute)) || p.IsDefined(typeof(ParamCollectionAttribute));
        string value = p.HasDefaultValue ? $" = {Literal(p.RawDefaultValue, p.ParameterType)}" : "";
        return $"{(isParams ? "params " : "")}{passing}{Name(p.ParameterType, Nullability.Create(p))} {p.Name}{value}";
    }));

    private static string Modifiers(MethodBase method)
    {
        string access = method.IsFamily || method.IsFamilyOrAssembly ? "protected " : "";
        if (method.IsStatic) return access + "static ";
        if (method is not MethodInfo { IsVirtual: true } info || method.DeclaringType!.IsInterface) return access;
        bool isOverride = info.GetBaseDefinition() != info;
        if (info.IsAbstract) return access + "abstract ";
        if (isOverride) return access + "override ";
        return info.IsFinal ? access : access + "virtual "; // final: it is virtual only to serve an interface
    }

    private static string Name(Type type, NullabilityInfo? nullability = null)
    {
        if (type.IsByRef) return Name(type.GetElementType()!, nullability?.ElementType ?? nullability);
        if (type.IsGenericParameter) return type.Name; // what it may be is the caller's choice
        string question = !type.IsValueType && nullability is { ReadState: NullabilityState.Nullable } ? "?" : "";
        if (type.IsArray) return $"{Name(type.GetElementType()!, nullability?.ElementType)}[{new string(',', type.GetArrayRank() - 1)}]{question}";
        if (Nullable.GetUnderlyingType(type) is { } underlying) return Name(underlying) + "?";
        if (Keywords.TryGetValue(type, out string? keyword)) return keyword + question;
        string name = type.IsNested ? $"{Name(type.DeclaringType!)}.{type.Name}" : type.Name;
        if (!type.IsGenericType) return name + question;
        NullabilityInfo[]? inner = nullability?.GenericTypeArguments is { Length: > 0 } infos ? infos : null;
        IEnumerable<string> arguments = type.GetGenericArguments().Select((a, i) => Name(a, inner?[i]));
        return $"{name.Split('`')[0]}<{string.Join(", ", arguments)}>{question}";
    }

    private static string Literal(object? value, Type? type = null) => value switch
    {
        null when type is { IsValueType: true } && Nullable.GetUnderlyingType(type) is null => "default",
        null => "null",
        string s => $"\"{s}\"",
        bool b => b ? "true" : "false",
        _ when (Nullable.GetUnderlyingType(type ?? typeof(object)) ?? type) is { IsEnum: true } e => $"{e.Name}.{Enum.ToObject(e, value)}",
        IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static T? Visible<T>(T? method) where T : MethodBase =>
        method is not null && (method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly) ? method : null;

    private static bool IsGenerated(MethodBase method) =>
        method.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false) || method.Name is "<Clone>$" or "PrintMembers" or "Finalize";

    private static bool IsAccessor(MethodInfo method) =>
        method.IsSpecialName && !method.Name.StartsWith("op_", StringComparison.Ordinal);

    private static bool IsReadOnly(Type type) => type.IsDefined(typeof(IsReadOnlyAttribute));

    private static bool IsRecord(Type type) => type.GetMethod("PrintMembers", Declared) is not null;
}
