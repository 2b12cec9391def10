namespace SegmentAnything.Execution;

/// <summary>Compares what a loaded model takes and gives with what is expected of it.</summary>
internal static class SessionContract
{
    /// <summary>Checks a model's tensors; outputs beyond the expected ones are allowed, inputs are not.</summary>
    /// <param name="session">The loaded model.</param>
    /// <param name="what">What it should be, such as <c>the image encoder of MobileSAM</c>.</param>
    /// <param name="inputs">The expected inputs. One alone may have no name: then any will do.</param>
    /// <param name="outputs">The expected outputs. One alone may have no name: then any will do.</param>
    /// <exception cref="ModelContractException">A tensor is missing, is not expected, or has another type or shape.</exception>
    public static void Check(
        ModelSession session, string what, ReadOnlySpan<TensorContract> inputs, ReadOnlySpan<TensorContract> outputs)
    {
        Check(session, what, "input", session.Inputs, inputs);
        Check(session, what, "output", session.Outputs, outputs);
        foreach (string name in session.Inputs.Keys)
        {
            if (inputs.Length == 1 && inputs[0].Name is null) break;
            if (!Contains(inputs, name))
            {
                throw new ModelContractException(
                    $"{session.Source}: expected {what}, which takes no input '{name}' ({session.Inputs[name].Describe()}). Is this another model's file?",
                    name, found: session.Inputs[name].Describe());
            }
        }
    }

    private static void Check(
        ModelSession session, string what, string kind, IReadOnlyDictionary<string, TensorContract> tensors, ReadOnlySpan<TensorContract> expected)
    {
        foreach (TensorContract tensor in expected)
        {
            TensorContract? found;
            if (tensor.Name is not null)
            {
                tensors.TryGetValue(tensor.Name, out found);
            }
            else if (tensors.Count == 1)
            {
                found = tensors.Values.Single();
            }
            else
            {
                throw new ModelContractException(
                    $"{session.Source}: expected {what}, with one {kind} of {tensor.Describe()}; found {tensors.Count}: {string.Join(", ", tensors.Keys)}. Is this another model's file?",
                    expected: tensor.Describe());
            }

            if (found is null)
            {
                throw new ModelContractException(
                    $"{session.Source}: expected {what}, with an {kind} '{tensor.Name}' of {tensor.Describe()}; found only {string.Join(", ", tensors.Keys)}. Is this another model's file?",
                    tensor.Name, tensor.Describe());
            }

            if (!tensor.IsSatisfiedBy(found))
            {
                throw new ModelContractException(
                    $"{session.Source}: {kind} '{found.Name}': expected {tensor.Describe()}, found {found.Describe()}. Is this the file of another variant than {what}?",
                    found.Name, tensor.Describe(), found.Describe());
            }
        }
    }

    private static bool Contains(ReadOnlySpan<TensorContract> tensors, string name)
    {
        foreach (TensorContract tensor in tensors)
        {
            if (tensor.Name == name) return true;
        }

        return false;
    }
}
