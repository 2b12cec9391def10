namespace SegmentAnything.Detection;

/// <summary>What a detector takes and gives. Models of many names share one.</summary>
public enum DetectorLayout
{
    /// <summary>Ultralytics' YOLO v8, v9, 11 and 12, with or without masks ("yolov8").</summary>
    Yolov8,

    /// <summary>YOLO without overlaps left to remove: v10, 26, or exported with nms=True ("yolo-end2end").</summary>
    YoloEndToEnd,

    /// <summary>YOLO v5 and v7 ("yolov5").</summary>
    Yolov5,

    /// <summary>YOLOX ("yolox").</summary>
    Yolox,

    /// <summary>RT-DETR v1 and v2, D-FINE, DEIM as their authors export them ("rtdetr").</summary>
    RtDetr,

    /// <summary>RT-DETR as Ultralytics exports it ("rtdetr-ultralytics").</summary>
    RtDetrUltralytics,

    /// <summary>DETR, RT-DETR and their like as Hugging Face's Optimum exports them ("detr-hf").</summary>
    DetrHuggingFace,

    /// <summary>Faster R-CNN of the ONNX model zoo ("fasterrcnn-zoo").</summary>
    FasterRcnnZoo,

    /// <summary>Torchvision's detectors ("torchvision").</summary>
    Torchvision,

    /// <summary>SSD as TensorFlow exports it ("ssd-tf").</summary>
    SsdTensorFlow,
}
