// Storage SOP classes: PS3.4 Annex B and PS3.6 Annex A, edition 2024d, and two waveform presentation states of 2026b.
// UID | name | family | role | pixel data (`pixels`, `-` none, `?` look at the instance) | retired, no-patient
export const STANDARD_STORAGE_CLASSES = `1.2.840.10008.1.3.10|Media Storage Directory Storage|directory|directory|-|no-patient
1.2.840.10008.5.1.1.27|Stored Print Storage|print|print|-|retired
1.2.840.10008.5.1.1.29|Hardcopy Grayscale Image Storage|print|print|-|retired
1.2.840.10008.5.1.1.30|Hardcopy Color Image Storage|print|print|-|retired
1.2.840.10008.5.1.4.1.1.1|Computed Radiography Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.1.1|Digital X-Ray Image Storage - For Presentation|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.1.1.1|Digital X-Ray Image Storage - For Processing|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.1.2|Digital Mammography X-Ray Image Storage - For Presentation|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.1.2.1|Digital Mammography X-Ray Image Storage - For Processing|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.1.3|Digital Intra-Oral X-Ray Image Storage - For Presentation|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.1.3.1|Digital Intra-Oral X-Ray Image Storage - For Processing|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.2|CT Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.2.1|Enhanced CT Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.2.2|Legacy Converted Enhanced CT Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.3|Ultrasound Multi-frame Image Storage|image|image|pixels|retired
1.2.840.10008.5.1.4.1.1.3.1|Ultrasound Multi-frame Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.4|MR Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.4.1|Enhanced MR Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.4.2|MR Spectroscopy Storage|image|image|-|-
1.2.840.10008.5.1.4.1.1.4.3|Enhanced MR Color Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.4.4|Legacy Converted Enhanced MR Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.5|Nuclear Medicine Image Storage|image|image|pixels|retired
1.2.840.10008.5.1.4.1.1.6|Ultrasound Image Storage|image|image|pixels|retired
1.2.840.10008.5.1.4.1.1.6.1|Ultrasound Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.6.2|Enhanced US Volume Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.6.3|Photoacoustic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.7|Secondary Capture Image Storage|image|secondary-capture|pixels|-
1.2.840.10008.5.1.4.1.1.7.1|Multi-frame Single Bit Secondary Capture Image Storage|image|secondary-capture|pixels|-
1.2.840.10008.5.1.4.1.1.7.2|Multi-frame Grayscale Byte Secondary Capture Image Storage|image|secondary-capture|pixels|-
1.2.840.10008.5.1.4.1.1.7.3|Multi-frame Grayscale Word Secondary Capture Image Storage|image|secondary-capture|pixels|-
1.2.840.10008.5.1.4.1.1.7.4|Multi-frame True Color Secondary Capture Image Storage|image|secondary-capture|pixels|-
1.2.840.10008.5.1.4.1.1.8|Standalone Overlay Storage|other|retired|?|retired
1.2.840.10008.5.1.4.1.1.9|Standalone Curve Storage|other|retired|?|retired
1.2.840.10008.5.1.4.1.1.9.1|Waveform Storage - Trial|waveform|waveform|-|retired
1.2.840.10008.5.1.4.1.1.9.1.1|12-lead ECG Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.1.2|General ECG Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.1.3|Ambulatory ECG Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.1.4|General 32-bit ECG Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.2.1|Hemodynamic Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.3.1|Cardiac Electrophysiology Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.4.1|Basic Voice Audio Waveform Storage|waveform|audio|-|-
1.2.840.10008.5.1.4.1.1.9.4.2|General Audio Waveform Storage|waveform|audio|-|-
1.2.840.10008.5.1.4.1.1.9.5.1|Arterial Pulse Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.6.1|Respiratory Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.6.2|Multi-channel Respiratory Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.7.1|Routine Scalp Electroencephalogram Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.7.2|Electromyogram Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.7.3|Electrooculogram Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.7.4|Sleep Electroencephalogram Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.8.1|Body Position Waveform Storage|waveform|waveform|-|-
1.2.840.10008.5.1.4.1.1.9.100.1|Waveform Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.9.100.2|Waveform Acquisition Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.10|Standalone Modality LUT Storage|other|retired|?|retired
1.2.840.10008.5.1.4.1.1.11|Standalone VOI LUT Storage|other|retired|?|retired
1.2.840.10008.5.1.4.1.1.11.1|Grayscale Softcopy Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.2|Color Softcopy Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.3|Pseudo-Color Softcopy Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.4|Blending Softcopy Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.5|XA/XRF Grayscale Softcopy Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.6|Grayscale Planar MPR Volumetric Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.7|Compositing Planar MPR Volumetric Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.8|Advanced Blending Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.9|Volume Rendering Volumetric Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.10|Segmented Volume Rendering Volumetric Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.11|Multiple Volume Rendering Volumetric Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.11.12|Variable Modality LUT Softcopy Presentation State Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.12.1|X-Ray Angiographic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.12.1.1|Enhanced XA Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.12.2|X-Ray Radiofluoroscopic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.12.2.1|Enhanced XRF Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.12.3|X-Ray Angiographic Bi-Plane Image Storage|image|image|pixels|retired
1.2.840.10008.5.1.4.1.1.13.1.1|X-Ray 3D Angiographic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.13.1.2|X-Ray 3D Craniofacial Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.13.1.3|Breast Tomosynthesis Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.13.1.4|Breast Projection X-Ray Image Storage - For Presentation|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.13.1.5|Breast Projection X-Ray Image Storage - For Processing|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.14.1|Intravascular Optical Coherence Tomography Image Storage - For Presentation|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.14.2|Intravascular Optical Coherence Tomography Image Storage - For Processing|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.20|Nuclear Medicine Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.30|Parametric Map Storage|image|parametric-map|pixels|-
1.2.840.10008.5.1.4.1.1.66|Raw Data Storage|raw|raw|-|-
1.2.840.10008.5.1.4.1.1.66.1|Spatial Registration Storage|registration|registration|-|-
1.2.840.10008.5.1.4.1.1.66.2|Spatial Fiducials Storage|registration|registration|-|-
1.2.840.10008.5.1.4.1.1.66.3|Deformable Spatial Registration Storage|registration|registration|-|-
1.2.840.10008.5.1.4.1.1.66.4|Segmentation Storage|segmentation|segmentation|pixels|-
1.2.840.10008.5.1.4.1.1.66.5|Surface Segmentation Storage|segmentation|surface|-|-
1.2.840.10008.5.1.4.1.1.66.6|Tractography Results Storage|segmentation|surface|-|-
1.2.840.10008.5.1.4.1.1.66.7|Label Map Segmentation Storage|segmentation|segmentation|pixels|-
1.2.840.10008.5.1.4.1.1.66.8|Height Map Segmentation Storage|segmentation|segmentation|pixels|-
1.2.840.10008.5.1.4.1.1.67|Real World Value Mapping Storage|registration|rwv|-|-
1.2.840.10008.5.1.4.1.1.68.1|Surface Scan Mesh Storage|surface|surface|-|-
1.2.840.10008.5.1.4.1.1.68.2|Surface Scan Point Cloud Storage|surface|surface|-|-
1.2.840.10008.5.1.4.1.1.77.1|VL Image Storage - Trial|image|image|pixels|retired
1.2.840.10008.5.1.4.1.1.77.1.1|VL Endoscopic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.1.1|Video Endoscopic Image Storage|image|video|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.2|VL Microscopic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.2.1|Video Microscopic Image Storage|image|video|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.3|VL Slide-Coordinates Microscopic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.4|VL Photographic Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.4.1|Video Photographic Image Storage|image|video|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.1|Ophthalmic Photography 8 Bit Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.2|Ophthalmic Photography 16 Bit Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.3|Stereometric Relationship Storage|registration|registration|-|-
1.2.840.10008.5.1.4.1.1.77.1.5.4|Ophthalmic Tomography Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.5|Wide Field Ophthalmic Photography Stereographic Projection Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.6|Wide Field Ophthalmic Photography 3D Coordinates Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.7|Ophthalmic Optical Coherence Tomography En Face Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.5.8|Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.6|VL Whole Slide Microscopy Image Storage|image|wsi|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.7|Dermoscopic Photography Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.8|Confocal Microscopy Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.1.9|Confocal Microscopy Tiled Pyramidal Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.77.2|VL Multi-frame Image Storage - Trial|image|image|pixels|retired
1.2.840.10008.5.1.4.1.1.78.1|Lensometry Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.78.2|Autorefraction Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.78.3|Keratometry Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.78.4|Subjective Refraction Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.78.5|Visual Acuity Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.78.6|Spectacle Prescription Report Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.78.7|Ophthalmic Axial Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.78.8|Intraocular Lens Calculations Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.79.1|Macular Grid Thickness and Volume Report Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.80.1|Ophthalmic Visual Field Static Perimetry Measurements Storage|measurement|measurement|-|-
1.2.840.10008.5.1.4.1.1.81.1|Ophthalmic Thickness Map Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.82.1|Corneal Topography Map Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.88.1|Text SR Storage - Trial|sr|sr|-|retired
1.2.840.10008.5.1.4.1.1.88.2|Audio SR Storage - Trial|sr|sr|-|retired
1.2.840.10008.5.1.4.1.1.88.3|Detail SR Storage - Trial|sr|sr|-|retired
1.2.840.10008.5.1.4.1.1.88.4|Comprehensive SR Storage - Trial|sr|sr|-|retired
1.2.840.10008.5.1.4.1.1.88.11|Basic Text SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.22|Enhanced SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.33|Comprehensive SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.34|Comprehensive 3D SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.35|Extensible SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.40|Procedure Log Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.50|Mammography CAD SR Storage|sr|sr-cad|-|-
1.2.840.10008.5.1.4.1.1.88.59|Key Object Selection Document Storage|sr|ko|-|-
1.2.840.10008.5.1.4.1.1.88.65|Chest CAD SR Storage|sr|sr-cad|-|-
1.2.840.10008.5.1.4.1.1.88.67|X-Ray Radiation Dose SR Storage|sr|sr-dose|-|-
1.2.840.10008.5.1.4.1.1.88.68|Radiopharmaceutical Radiation Dose SR Storage|sr|sr-dose|-|-
1.2.840.10008.5.1.4.1.1.88.69|Colon CAD SR Storage|sr|sr-cad|-|-
1.2.840.10008.5.1.4.1.1.88.70|Implantation Plan SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.71|Acquisition Context SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.72|Simplified Adult Echo SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.88.73|Patient Radiation Dose SR Storage|sr|sr-dose|-|-
1.2.840.10008.5.1.4.1.1.88.74|Planned Imaging Agent Administration SR Storage|sr|sr-contrast|-|-
1.2.840.10008.5.1.4.1.1.88.75|Performed Imaging Agent Administration SR Storage|sr|sr-contrast|-|-
1.2.840.10008.5.1.4.1.1.88.76|Enhanced X-Ray Radiation Dose SR Storage|sr|sr-dose|-|-
1.2.840.10008.5.1.4.1.1.88.77|Waveform Annotation SR Storage|sr|sr|-|-
1.2.840.10008.5.1.4.1.1.90.1|Content Assessment Results Storage|qa|qa|-|-
1.2.840.10008.5.1.4.1.1.91.1|Microscopy Bulk Simple Annotations Storage|annotation|annotation|-|-
1.2.840.10008.5.1.4.1.1.104.1|Encapsulated PDF Storage|document|document|-|-
1.2.840.10008.5.1.4.1.1.104.2|Encapsulated CDA Storage|document|document|-|-
1.2.840.10008.5.1.4.1.1.104.3|Encapsulated STL Storage|document|model3d|-|-
1.2.840.10008.5.1.4.1.1.104.4|Encapsulated OBJ Storage|document|model3d|-|-
1.2.840.10008.5.1.4.1.1.104.5|Encapsulated MTL Storage|document|model3d|-|-
1.2.840.10008.5.1.4.1.1.128|Positron Emission Tomography Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.128.1|Legacy Converted Enhanced PET Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.129|Standalone PET Curve Storage|other|retired|?|retired
1.2.840.10008.5.1.4.1.1.130|Enhanced PET Image Storage|image|image|pixels|-
1.2.840.10008.5.1.4.1.1.131|Basic Structured Display Storage|presentation|presentation|-|-
1.2.840.10008.5.1.4.1.1.200.1|CT Defined Procedure Protocol Storage|protocol|protocol-nonpatient|-|no-patient
1.2.840.10008.5.1.4.1.1.200.2|CT Performed Procedure Protocol Storage|protocol|protocol|-|-
1.2.840.10008.5.1.4.1.1.200.3|Protocol Approval Storage|protocol|protocol-nonpatient|-|no-patient
1.2.840.10008.5.1.4.1.1.200.7|XA Defined Procedure Protocol Storage|protocol|protocol-nonpatient|-|no-patient
1.2.840.10008.5.1.4.1.1.200.8|XA Performed Procedure Protocol Storage|protocol|protocol|-|-
1.2.840.10008.5.1.4.1.1.201.1|Inventory Storage|inventory|inventory|-|no-patient
1.2.840.10008.5.1.4.1.1.481.1|RT Image Storage|rt|rt|pixels|-
1.2.840.10008.5.1.4.1.1.481.2|RT Dose Storage|rt|rt|pixels|-
1.2.840.10008.5.1.4.1.1.481.3|RT Structure Set Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.4|RT Beams Treatment Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.5|RT Plan Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.6|RT Brachy Treatment Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.7|RT Treatment Summary Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.8|RT Ion Plan Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.9|RT Ion Beams Treatment Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.10|RT Physician Intent Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.11|RT Segment Annotation Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.12|RT Radiation Set Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.13|C-Arm Photon-Electron Radiation Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.14|Tomotherapeutic Radiation Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.15|Robotic-Arm Radiation Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.16|RT Radiation Record Set Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.17|RT Radiation Salvage Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.18|Tomotherapeutic Radiation Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.19|C-Arm Photon-Electron Radiation Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.20|Robotic Radiation Record Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.21|RT Radiation Set Delivery Instruction Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.22|RT Treatment Preparation Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.481.23|Enhanced RT Image Storage|rt|rt|pixels|-
1.2.840.10008.5.1.4.1.1.481.24|Enhanced Continuous RT Image Storage|rt|rt|pixels|-
1.2.840.10008.5.1.4.1.1.481.25|RT Patient Position Acquisition Instruction Storage|rt|rt|-|-
1.2.840.10008.5.1.4.1.1.501.1|DICOS CT Image Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.501.2.1|DICOS Digital X-Ray Image Storage - For Presentation|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.501.2.2|DICOS Digital X-Ray Image Storage - For Processing|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.501.3|DICOS Threat Detection Report Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.501.4|DICOS 2D AIT Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.501.5|DICOS 3D AIT Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.501.6|DICOS Quadrupole Resonance (QR) Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.601.1|Eddy Current Image Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.601.2|Eddy Current Multi-frame Image Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.601.3|Thermography Image Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.1.1.601.4|Thermography Multi-frame Image Storage|non-medical|ndt|-|-
1.2.840.10008.5.1.4.34.1|RT Beams Delivery Instruction Storage - Trial|rt|rt|-|retired
1.2.840.10008.5.1.4.34.7|RT Beams Delivery Instruction Storage|rt|rt|-|-
1.2.840.10008.5.1.4.34.10|RT Brachy Application Setup Delivery Instruction Storage|rt|rt|-|-
1.2.840.10008.5.1.4.38.1|Hanging Protocol Storage|non-patient|nonpatient|-|no-patient
1.2.840.10008.5.1.4.39.1|Color Palette Storage|non-patient|nonpatient|-|no-patient
1.2.840.10008.5.1.4.43.1|Generic Implant Template Storage|non-patient|nonpatient|-|no-patient
1.2.840.10008.5.1.4.44.1|Implant Assembly Template Storage|non-patient|nonpatient|-|no-patient
1.2.840.10008.5.1.4.45.1|Implant Template Group Storage|non-patient|nonpatient|-|no-patient`

// Private storage classes seen in the field. UID | name | family (a guess from the name) | vendor
export const PRIVATE_STORAGE_CLASSES = `1.2.392.200036.9125.1.1.2|Fuji CR Image Storage|image|Fuji
1.2.840.113619.4.2|GE Private DICOM MR Image Info Object|image|GE
1.2.840.113619.4.30|GE Private PET Raw Data Storage|raw|GE
1.2.840.113619.4.3|GE Private DICOM CT Image Info Object|image|GE
1.2.840.113619.4.4|GE Private DICOM Display Image Info Object|image|GE
1.2.840.113619.4.5.249|GE Private RT Plan Storage|rt|GE
1.3.12.2.1107.5.9.1|Siemens CSA Non-Image Storage|raw|Siemens
1.3.12.2.1107.5.99.3.10|Siemens CT MR Volume Storage|raw|Siemens
1.3.12.2.1107.5.99.3.11|Siemens AX Frame Sets Storage|raw|Siemens
1.3.46.670589.11.0.0.12.1|Philips MR Spectrum Storage|raw|Philips
1.3.46.670589.11.0.0.12.2|Philips MR Series Data Storage|raw|Philips
1.3.46.670589.11.0.0.12.3|Philips MR Color Image Storage|image|Philips
1.3.46.670589.11.0.0.12.4|Philips MR Examcard Storage|raw|Philips
1.3.46.670589.2.11.1.1|Philips Volume Set Storage|raw|Philips
1.3.46.670589.2.3.1.1|Philips Specialised XA Storage|image|Philips
1.3.46.670589.2.4.1.1|Philips CX Image Storage|image|Philips
1.3.46.670589.2.5.1.1|Philips 3D Presentation State Storage|presentation|Philips
1.3.46.670589.2.8.1.1|Philips VRML Storage|document|Philips
1.3.46.670589.5.0.10|Philips MR Synthetic Image Storage|image|Philips
1.3.46.670589.5.0.12|Philips CX Synthetic Image Storage|image|Philips
1.3.46.670589.5.0.13|Philips Perfusion Storage|raw|Philips
1.3.46.670589.5.0.14|Philips Perfusion Image Storage|image|Philips
1.3.46.670589.5.0.3.1|Philips Surface (2) Storage|raw|Philips
1.3.46.670589.5.0.4|Philips Composite Object Storage|raw|Philips
1.3.46.670589.5.0.9|Philips CT Synthetic Image Storage|image|Philips
1.3.6.1.4.1.5962.301.1|PixelMed Legacy Converted Enhanced CT Image Storage|image|PixelMed
1.3.6.1.4.1.5962.301.2|PixelMed Legacy Converted Enhanced MR Image Storage|image|PixelMed
1.3.6.1.4.1.5962.301.3|PixelMed Legacy Converted Enhanced PET Image Storage|image|PixelMed
1.3.6.1.4.1.5962.301.9|PixelMed Floating Point Image Storage|image|PixelMed
2.16.840.1.114033.5.1.4.1.1.130|PMOD Multi-frame Image Storage|image|PMOD`
